// What a bundle, a trust file and a payload are made of, and the keys that sign in them.
//
// Always true (tests/e2e/test_bundle_pages.py): what is read has every member that it must have and
// no other; whatever has none of these forms is `Malformed`, and nothing else is thrown.
//
// The forms of payloads are not written down here: the page hands them over as the service itself
// knows them (`web/payload_forms.py`). In Python: `domain/bundle.py`, `domain/trust.py`,
// `proofs/leaves.py`, `proofs/cose.py`.
"use strict";

const TwinlockReading = (() => {
  const { Malformed, Refused, canonical, fromBase64url, joined } = TwinlockForms;
  const { readCanonical, readJson, readUtf8, same, subtle } = TwinlockForms;
  const { taggedMac, toBase64url, utf8 } = TwinlockForms;
  const { checkInclusion, leafHash, splitHashes } = TwinlockTree;
  const { checkEd25519, readPolicy, verifiesEd25519 } = TwinlockNotes;
  const BUNDLE_BYTES_MOST = 65_536;
  const TRUST_BYTES_MOST = 65_536;
  const AMOUNT_MOST = 2n ** 256n - 1n;
  const SPEND = "action.spend";
  const ANSWERS = ["allow", "read_only", "challenge", "hold", "review", "deny"];

  // --- Shapes: each takes a value, and returns it or throws ---

  const check = (holds) => {
    if (!holds) {
      throw new Malformed("a member is missing, unknown, or of another form");
    }
  };
  const isText = (value) => typeof value === "string";
  const isWhole = (value) => Number.isSafeInteger(value);
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const text = (value) => check(isText(value));
  const hashes = (value) => check(isText(value) && value.length <= 2_688);
  const whole = (value) => check(isWhole(value));
  const truth = (value) => check(typeof value === "boolean");
  const between = (least, most) => (value) => check(isWhole(value) && least <= value && value <= most);

  // The form of an object: what it must have, what it may have, and nothing else unless `open`.
  const object = (needed, { optional = {}, open = false } = {}) => (value) => {
    check(isObject(value));
    const members = { ...optional, ...needed };
    check(Object.keys(needed).every((name) => name in value));
    for (const [name, its] of Object.entries(value)) {
      check(open || Object.hasOwn(members, name));
      if (Object.hasOwn(members, name)) {
        members[name](its);
      }
    }
  };
  const list = (item, most = Infinity) => (value) => {
    check(Array.isArray(value) && value.length <= most);
    value.forEach(item);
  };
  const pair = (value) => check(Array.isArray(value) && value.length === 2 && value.every(isText));
  const byName = (item, most) => (value) => {
    check(isObject(value) && Object.keys(value).length <= most);
    Object.values(value).forEach(item);
  };

  const included = object({
    leaf: text,
    index: whole,
    key: text,
    path: hashes,
    openings: byName(pair, 16),
  });
  const bundleForm = object(
    {
      v: whole,
      origin: text,
      authorization: text,
      decision: included,
      policy: text,
      proofs: list(object({ factor: text, evidence: text, binding: included }), 16),
      checkpoint: text,
    },
    { optional: { consistent_from: whole, consistency: hashes } },
  );
  const leafForm = object({
    at: between(0, 253_402_300_799_999),
    c: byName(text, 16),
    dec: (value) => check(ANSWERS.includes(value)),
    lbl: text,
    pol: text,
    prev: text,
    t: (value) => check(isText(value) && value.length >= 1 && value.length <= 64),
    v: whole,
  });

  const readBundle = (data) => {
    if (data.length > BUNDLE_BYTES_MOST) {
      throw new Malformed(`it is larger than ${BUNDLE_BYTES_MOST} bytes`);
    }
    const value = readJson(readUtf8(data));
    bundleForm(value);
    return value;
  };

  // Runs `read`; whatever is malformed in it is `fault`.
  const orRefuse = (fault, read) => {
    try {
      return read();
    } catch (error) {
      throw error instanceof Malformed ? new Refused(fault) : error;
    }
  };
  const orRefuseLater = async (fault, read) => {
    try {
      return await read();
    } catch (error) {
      throw error instanceof Malformed ? new Refused(fault) : error;
    }
  };

  // Returns the value of canonical JSON that has `form`, or refuses with `fault`.
  const canonicalOf = (json, form, fault) =>
    orRefuse(fault, () => {
      const value = readCanonical(json);
      form(value);
      return value;
    });

  // --- One entry ---

  const readLeaf = (json) => {
    const leaf = canonicalOf(json, leafForm, "leaf_malformed");
    orRefuse("leaf_malformed", () => {
      [leaf.lbl, leaf.pol, leaf.prev, ...Object.values(leaf.c)].forEach((one) => fromBase64url(one, 32));
    });
    if (leaf.v !== 1) {
      throw new Refused("leaf_version_unknown");
    }
    if ((leaf.t === SPEND) !== "spend" in leaf.c) {
      throw new Refused("leaf_malformed");
    }
    return leaf;
  };

  const DECISION_FIELDS = ["action", "facts", "payload", "proofs"];
  const OWN_FIELDS = ["account", "actor", "events", "reasons", "spend", "label_key", "erased"];
  const refuse = (fault, detail) => {
    throw new Refused(fault, detail);
  };
  const hashesOf = (value, fault) => orRefuse(fault, () => splitHashes(fromBase64url(value)));

  const checkIncluded = async (included, head) => {
    const proof = hashesOf(included.path, "inclusion_malformed");
    const leaf = await leafHash(utf8(included.leaf));
    const at = { index: BigInt(included.index), size: head.size, proof, root: head.root };
    await orRefuseLater("not_included", () => checkInclusion(leaf, at));
    return included.leaf;
  };

  const checkLabel = async (key, leaf) => {
    const own = orRefuse("label_other", () => fromBase64url(key, 32));
    if (toBase64url(await taggedMac(own, "label/v1")) !== leaf.lbl) {
      refuse("label_other");
    }
  };

  const openFields = async (openings, leaf, needed) => {
    if (!needed.every((field) => field in openings)) {
      refuse("opening_missing");
    }
    const opened = {};
    for (const [field, [spelled, value]] of Object.entries(openings)) {
      if (!(field in leaf.c)) {
        refuse("opening_not_committed");
      }
      const salt = orRefuse("opening_malformed", () => fromBase64url(spelled, 32));
      const made = await taggedMac(salt, "commit/v1", utf8(field), utf8(value));
      if (toBase64url(made) !== leaf.c[field]) {
        const known = [...DECISION_FIELDS, ...OWN_FIELDS].includes(field);
        refuse("opening_wrong", known ? `the field ${field}` : "a field that is not known here");
      }
      opened[field] = value;
    }
    return opened;
  };

  // --- Payloads ---

  const readAmount = (value) => {
    check(/^(?:0|[1-9][0-9]{0,77})$/.test(value) && BigInt(value) <= AMOUNT_MOST);
    return BigInt(value);
  };

  const KINDS = {
    text,
    whole,
    truth,
    "whole or none": (value) => check(value === null || isWhole(value)),
    texts: list(text),
    pairs: list(pair),
  };

  // The rules that no form tells: of an exit something leaves, and no fee or budget is negative.
  const checkAmounts = (payload, form) => {
    if (form.exit) {
      check(readAmount(payload.amount_minor) > 0n);
    }
    if ("max_fee_minor" in payload) {
      readAmount(payload.max_fee_minor);
    }
    if ("budget_cents" in payload) {
      check(payload.budget_cents >= 0);
    }
  };

  const readPayload = (json, forms) =>
    orRefuse("payload_malformed", () => {
      const payload = readCanonical(json);
      check(isObject(payload) && isText(payload.type) && Object.hasOwn(forms.payloads, payload.type));
      const form = forms.payloads[payload.type];
      const shape = (kinds = {}) =>
        Object.fromEntries(
          Object.entries(kinds).flatMap(([kind, names]) => names.map((name) => [name, KINDS[kind]])),
        );
      object({ type: text, ...shape(form.members) }, { optional: shape(form.optional) })(payload);
      for (const [name, left] of Object.entries(form.defaults ?? {})) {
        check(!(name in payload) || canonical(payload[name]) !== canonical(left));
      }
      checkAmounts(payload, form);
      return payload;
    });

  // Whether the catalogue of actions has this name.
  const isNamed = (name, forms) =>
    forms.unbuilt.includes(name) ||
    (Object.hasOwn(forms.payloads, name) && name !== forms.not_built);

  const typeOf = (payload, forms) => {
    if (payload.type !== forms.not_built) {
      return payload.type;
    }
    return isNamed(payload.asked, forms) ? payload.asked : forms.unknown;
  };

  const policyForm = (forms) =>
    object(
      {
        version: whole,
        assets: list(
          object(
            { symbol: text, network: text, decimals: whole },
            {
              optional: {
                contract: text,
                form: (value) => check(value === null || forms.addresses.includes(value)),
              },
              open: true,
            },
          ),
        ),
      },
      { open: true },
    );

  // --- Whom to believe ---

  const trustForm = object(
    { v: whole, log: text, authorization_keys: byName(text, 32), rp_id: text, origin: text },
    { optional: { policies: list(text, 256) } },
  );

  // Returns what a trust file says. Throws Malformed, or CannotCheck.
  const readTrust = async (data) => {
    if (data.length > TRUST_BYTES_MOST) {
      throw new Malformed("a trust file is smaller");
    }
    const said = readJson(readUtf8(data));
    trustForm(said);
    const site = /^(?:https:\/\/([a-z0-9.-]+)|http:\/\/(localhost))(?::[0-9]{1,5})?$/.exec(said.origin);
    check(said.v === 1 && site && (site[1] ?? site[2]) === said.rp_id);
    const policies = said.policies ?? [];
    policies.forEach((digest) => fromBase64url(digest, 32));
    const policy = await readPolicy(said.log);
    const taken = [...policy.logs, ...policy.witnesses].map((one) => one.key.bytes);
    const keys = new Map();
    for (const [kid, spelled] of Object.entries(said.authorization_keys)) {
      const key = checkEd25519(fromBase64url(spelled, 32));
      check(/^[A-Za-z0-9._:/+-]{1,128}$/.test(kid) && !taken.some((one) => same(one, key)));
      taken.push(key);
      keys.set(kid, key);
    }
    check(keys.size > 0);
    return { policy, keys, rpId: said.rp_id, origin: said.origin, policies };
  };

  // --- Keys of passkeys and devices ---

  const fromHex = (digits) => Uint8Array.from(digits.match(/../g), (pair_) => parseInt(pair_, 16));
  const [ES256_X, ES256_Y] = [fromHex("a5010203262001215820"), fromHex("225820")];
  const EDDSA_X = fromHex("a4010103272006215820");
  const [RS256_N, RS256_E] = [fromHex("a40103033901002059"), fromHex("2143010001")];
  const P256 = { name: "ECDSA", namedCurve: "P-256" };
  const SHA256_ECDSA = { name: "ECDSA", hash: "SHA-256" };
  const beginsWith = (data, start) => same(data.slice(0, start.length), start);

  // Returns whether the P-256 key (x ‖ y) made the signature r ‖ s. Throws Malformed: off the curve.
  const verifiesEs256 = async (point, signature, message) => {
    const raw = joined(Uint8Array.of(4), point);
    let key;
    try {
      key = await subtle().importKey("raw", raw, P256, false, ["verify"]);
    } catch (error) {
      throw error.name === "DataError" ? new Malformed("key_invalid") : error;
    }
    return subtle().verify(SHA256_ECDSA, key, signature, message);
  };

  // One number of a DER signature, as 32 bytes, with what follows it; in its one shortest form.
  const derNumber = (data) => {
    const size = data[1];
    const number = data.slice(2, 2 + size);
    const padded = number[0] === 0 && size > 1;
    check(data[0] === 2 && size >= 1 && number.length === size && number[0] < 0x80);
    check(!padded || number[1] >= 0x80);
    const digits = padded ? number.slice(1) : number;
    check(digits.length <= 32);
    return [joined(new Uint8Array(32 - digits.length), digits), data.slice(2 + size)];
  };

  const fromDer = (data) => {
    check(data.length >= 8 && data[0] === 0x30 && data[1] === data.length - 2);
    const [r, rest] = derNumber(data.slice(2));
    const [s, end] = derNumber(rest);
    check(end.length === 0);
    return joined(r, s);
  };

  const verifiesRs256 = async (modulus, signature, message) => {
    const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
    check(modulus[0] > 0 && bits >= 2048 && bits <= 4096 && modulus.at(-1) % 2 === 1);
    const jwk = { kty: "RSA", alg: "RS256", n: toBase64url(modulus), e: "AQAB" };
    const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    const key = await subtle().importKey("jwk", jwk, rsa, false, ["verify"]);
    return subtle().verify(rsa, key, signature, message);
  };

  // Returns whether the passkey of these COSE bytes made the signature (WebAuthn Level 3, 5.8.5).
  // Throws Malformed where it is no key that we take.
  const verifiesCose = async (key, signature, message) => {
    if (beginsWith(key, ES256_X)) {
      check(key.length === 77 && same(key.slice(42, 45), ES256_Y));
      return verifiesEs256(joined(key.slice(10, 42), key.slice(45)), fromDer(signature), message);
    }
    if (beginsWith(key, EDDSA_X)) {
      check(key.length === 42);
      return verifiesEd25519(checkEd25519(key.slice(10)), signature, message);
    }
    check(beginsWith(key, RS256_N));
    const size = key[9] * 256 + key[10];
    check(key.length === 11 + size + RS256_E.length && same(key.slice(11 + size), RS256_E));
    return verifiesRs256(key.slice(11, 11 + size), signature, message);
  };

  const jwkForm = object(
    {
      crv: (value) => check(value === "P-256"),
      kty: (value) => check(value === "EC"),
      x: text,
      y: text,
    },
    { optional: { ext: truth, key_ops: list((value) => check(value === "verify"), 1) } },
  );

  // Returns a device's key: its point x ‖ y, and the one form that its thumbprint hashes (RFC 7638).
  const readDeviceKey = (json) => {
    const jwk = readCanonical(json);
    jwkForm(jwk);
    const { crv, kty, x, y } = jwk;
    const point = joined(fromBase64url(x, 32), fromBase64url(y, 32));
    return { point, form: canonical({ crv, kty, x, y }) };
  };

  // A device's signature is for a proposal; the id of a session is ASCII.
  const readProposal = (value) => check(value === "proposal");
  const readAscii = (value) => check(isText(value) && /^[\u0000-\u007f]*$/.test(value));

  return Object.freeze({
    DECISION_FIELDS,
    SPEND,
    between,
    canonicalOf,
    checkIncluded,
    checkLabel,
    hashesOf,
    isNamed,
    isText,
    list,
    object,
    openFields,
    orRefuse,
    orRefuseLater,
    pair,
    policyForm,
    readAmount,
    readAscii,
    readBundle,
    readDeviceKey,
    readLeaf,
    readPayload,
    readProposal,
    readTrust,
    refuse,
    text,
    truth,
    typeOf,
    verifiesCose,
    verifiesEs256,
  });
})();
