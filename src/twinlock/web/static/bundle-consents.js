// Steps 10 to 12 of a bundle: which proofs stood behind the decision, who bound their keys, what was signed.
//
// Always true (tests/e2e/test_bundle_pages.py): an assertion that counts was one that the decision
// rested on, made over exactly its payload, on the one trusted site, by a verified person, with a key
// that an earlier entry of the same log bound to the same account.
//
// Source: WebAuthn Level 3, 7.2; docs/verify.md. In Python: `proofs/consents.py`,
// `proofs/device_consents.py`, `proofs/assertions.py`.
"use strict";

const TwinlockConsents = (() => {
  const { Malformed, canonical, fromBase64url, joined, readJson, readUtf8 } = TwinlockForms;
  const { same, sha256, taggedHash, toBase64url, u64, utf8 } = TwinlockForms;
  const { canonicalOf, checkIncluded, checkLabel, object, openFields } = TwinlockReading;
  const { orRefuse, orRefuseLater, readLeaf, readPayload, refuse, text, truth } = TwinlockReading;
  const [PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED] = [1, 4, 8, 16, 64, 128];

  const isDevice = (proof) => proof.factor === "session";

  const passkeyForm = object({
    authenticator_data: text,
    client_data: text,
    credential_id: text,
    nonce: text,
    signature: text,
  });
  const deviceForm = object({
    jwk: text,
    name: text,
    purpose: (value) => TwinlockReading.readProposal(value),
    session: (value) => TwinlockReading.readAscii(value),
    signature: text,
    signed_at: TwinlockReading.between(0, 253_402_300_799_999),
  });

  const limited = (value, most) => {
    const data = fromBase64url(value);
    if (data.length > most) {
      throw new Malformed("larger than any authenticator's");
    }
    return data;
  };

  const readEvidence = (proof) => {
    if (isDevice(proof)) {
      return canonicalOf(proof.evidence, deviceForm, "evidence_malformed");
    }
    const said = canonicalOf(proof.evidence, passkeyForm, "evidence_malformed");
    return orRefuse("evidence_malformed", () => {
      const nonce = fromBase64url(said.nonce);
      if (nonce.length < 16) {
        throw new Malformed("a short nonce");
      }
      return {
        nonce,
        credentialId: limited(said.credential_id, 1023),
        clientData: limited(said.client_data, 4096),
        authenticatorData: limited(said.authenticator_data, 2048),
        signature: limited(said.signature, 1024),
      };
    });
  };

  const proofs = async ({ bundle, decision }) => {
    const pairs = TwinlockReading.list(TwinlockReading.pair);
    const left = canonicalOf(decision.opened.proofs, pairs, "proofs_malformed").map(canonical);
    const names = [];
    for (const proof of bundle.proofs) {
      if (!["passkey", "session"].includes(proof.factor)) {
        refuse("proof_kind_unknown");
      }
      const shown = proof.evidence;
      const digest = shown ? toBase64url(await taggedHash("proof/v1", utf8(shown))) : "";
      names.push(canonical([proof.factor, digest]));
    }
    if (!names.every((name) => left.includes(name))) {
      refuse("proof_not_committed");
    }
    if (new Set(names).size !== names.length) {
      refuse("proof_twice");
    }
    names.forEach((name) => left.splice(left.indexOf(name), 1));
    const recorded = left.map((name) => JSON.parse(name)[0]).sort();
    const evidence = bundle.proofs.map(readEvidence);
    const byRecord = recorded.join(", ") || "none";
    return [{ evidence, recorded }, `${evidence.length} with evidence; by record only: ${byRecord}`, !evidence.length];
  };

  const credentialForm = object({ backup_eligible: truth, credential_id: text, public_key: text });

  const readPasskey = (bound) => {
    const isKey = bound.type === "authenticator.bind" ? bound.authenticator === "passkey" : bound.type === "member.add";
    if (!isKey) {
      refuse("binding_not_a_passkey");
    }
    const said = canonicalOf(bound.credential, credentialForm, "binding_not_a_passkey");
    return orRefuse("binding_not_a_passkey", () => ({
      credentialId: fromBase64url(said.credential_id),
      publicKey: fromBase64url(said.public_key),
      eligible: said.backup_eligible,
    }));
  };

  // The entry that bound a key to the account: of the right type, a yes, and before the decision.
  const readBinding = async (proof, { decision, head, forms }) => {
    const { binding } = proof;
    const read = readLeaf(await checkIncluded(binding, head));
    await checkLabel(binding.key, read);
    const opened = await openFields(binding.openings, read, ["payload"]);
    const kinds = isDevice(proof) ? ["session.start"] : ["authenticator.bind", "member.add"];
    if (!kinds.includes(read.t)) {
      refuse("binding_other_type");
    }
    if (read.dec !== "allow") {
      refuse("binding_not_allowed");
    }
    if (binding.index >= decision.index) {
      refuse("binding_later");
    }
    const bound = readPayload(opened.payload, forms);
    if (bound.account !== decision.payload.account) {
      refuse("binding_other_account");
    }
    if (isDevice(proof) && bound.type !== "session.start") {
      refuse("binding_not_a_session");
    }
    const key = isDevice(proof) ? { thumbprint: bound.device } : readPasskey(bound);
    return { index: binding.index, label: read.lbl, ...key };
  };

  const bindings = async (found) => {
    const keys = [];
    for (const proof of found.bundle.proofs) {
      keys.push(await readBinding(proof, found));
    }
    const labels = new Map(keys.map((key) => [key.index, key.label]));
    labels.set(found.decision.index, found.decision.leaf.lbl);
    if (new Set(labels.values()).size !== labels.size) {
      refuse("label_twice");
    }
    const places = keys.map((key) => `entry ${key.index}`).join(", ") || "none to check";
    return [{ keys }, `keys bound to this account: ${places}`, !keys.length];
  };

  const checkClientData = (data, challenge, trust) => {
    const client = orRefuse("assertion_refused", () => readJson(readUtf8(data), { loose: true }));
    const isObject = client !== null && typeof client === "object" && !Array.isArray(client);
    const faults = [
      [isObject, "malformed"],
      [client?.type === "webauthn.get", "wrong_kind"],
      [client?.challenge === toBase64url(challenge), "wrong_challenge"],
      [client?.origin === trust.origin, "wrong_origin"],
      [isObject && (client.crossOrigin ?? false) === false && !("topOrigin" in client), "cross_origin"],
    ];
    const fault = faults.find(([holds]) => !holds);
    if (fault) {
      refuse("assertion_refused", fault[1]);
    }
  };

  const checkAuthenticatorData = async (data, key, trust) => {
    if (data.length < 37) {
      refuse("assertion_refused", "malformed");
    }
    const has = (flag) => (data[32] & flag) !== 0;
    const faults = [
      [same(data.slice(0, 32), await sha256(utf8(trust.rpId))), "wrong_rp"],
      [has(PRESENT), "user_not_present"],
      [has(VERIFIED), "user_not_verified"],
      [!has(BACKED_UP) || has(ELIGIBLE), "backup_flags_changed"],
      [has(ELIGIBLE) === key.eligible, "backup_flags_changed"],
      [!has(ATTESTED) && has(EXTENDED) === data.length > 37, "malformed"],
    ];
    const fault = faults.find(([holds]) => !holds);
    if (fault) {
      refuse("assertion_refused", fault[1]);
    }
  };

  // WebAuthn Level 3, 7.2, in its order.
  const checkConsent = async (shown, key, { decision, trust }) => {
    if (!same(shown.credentialId, key.credentialId)) {
      refuse("assertion_refused", "wrong_credential");
    }
    const challenge = await taggedHash("intent/v1", shown.nonce, utf8(decision.opened.payload));
    checkClientData(shown.clientData, challenge, trust);
    await checkAuthenticatorData(shown.authenticatorData, key, trust);
    const signed = joined(shown.authenticatorData, await sha256(shown.clientData));
    const verifies = () => TwinlockReading.verifiesCose(key.publicKey, shown.signature, signed);
    if (!(await orRefuseLater("assertion_refused", verifies))) {
      refuse("assertion_refused", "bad_signature");
    }
    return { bindingIndex: key.index, eligible: key.eligible };
  };

  const checkDevice = async (said, key, { decision }) => {
    const nonceParts = [utf8(said.purpose), utf8(said.name), u64(said.signed_at)];
    const nonce = await taggedHash("session-nonce/v1", ...nonceParts);
    const digest = fromBase64url(decision.digest);
    const message = await taggedHash("session-proof/v1", utf8(said.session), nonce, digest);
    const own = orRefuse("device_key_other", () => TwinlockReading.readDeviceKey(said.jwk));
    const thumbprint = toBase64url(await sha256(utf8(own.form)));
    if (thumbprint !== key.thumbprint) {
      refuse("device_key_other");
    }
    const verifies = async () =>
      TwinlockReading.verifiesEs256(own.point, fromBase64url(said.signature, 64), message);
    if (!(await orRefuseLater("device_signature_refused", verifies))) {
      refuse("device_signature_refused", "bad_signature");
    }
    return { thumbprint, sessionIndex: key.index, signedAt: said.signed_at };
  };

  const assertions = async (found) => {
    const [consents, devices] = [[], []];
    for (const [at, proof] of found.bundle.proofs.entries()) {
      if (!isDevice(proof)) {
        consents.push(await checkConsent(found.evidence[at], found.keys[at], found));
      }
    }
    for (const [at, proof] of found.bundle.proofs.entries()) {
      if (isDevice(proof)) {
        devices.push(await checkDevice(found.evidence[at], found.keys[at], found));
      }
    }
    const by = devices.map((one) => `; by device key ${one.thumbprint}`).join("");
    const count = consents.length || "none";
    return [{ consents, devices }, `the customer's own signature over this payload: ${count}${by}`, !found.bundle.proofs.length];
  };

  return Object.freeze({ assertions, bindings, proofs });
})();
