// Verifies an evidence bundle in this browser, in the twelve numbered steps of docs/verify.md.
//
// Always true (tests/e2e/test_bundle_pages.py): for every bundle, good or forged, that the tests of
// `twinlock verify` know, this says what it says, step and fault; each step builds only on those before
// it; what cannot be checked is `CannotCheck`, and never passes for checked.
//
// The bundle and the trust file are read where they are: nothing here sends anything anywhere.
// In Python: `proofs/bundles.py`, `proofs/authorizations.py`.
"use strict";

const TwinlockBundle = (() => {
  const { CannotCheck, Malformed, Refused, canonical, fromBase64url } = TwinlockForms;
  const { readCanonical, readUtf8, taggedHash, toBase64url, utf8 } = TwinlockForms;
  const { checkConsistency } = TwinlockTree;
  const { checkNote, verifiesEd25519 } = TwinlockNotes;
  const { DECISION_FIELDS, SPEND, canonicalOf, checkIncluded, checkLabel } = TwinlockReading;
  const { hashesOf, openFields, orRefuse, orRefuseLater, readAmount } = TwinlockReading;
  const { readLeaf, readPayload, refuse, text, typeOf } = TwinlockReading;
  const { assertions, bindings, proofs } = TwinlockConsents;
  const VETO = "action.veto";
  const NOTHING = true; // A step that had nothing to check is told so, and never as one that held.
  const NAMES = "form checkpoint growth inclusion leaf openings policy payload authorization proofs bindings assertions".split(" ");

  const instant = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
  const textsForm = TwinlockReading.list(text);
  const payloadDigest = async (json) => toBase64url(await taggedHash("payload/v1", utf8(json)));

  // --- Steps 1 to 6: the log. Each is given what the ones before found, and returns what it adds ---

  const form = async ({ data }) => {
    let bundle;
    try {
      bundle = TwinlockReading.readBundle(data);
    } catch (error) {
      throw error instanceof Malformed ? new Refused("bundle_malformed", error.message) : error;
    }
    if (bundle.v !== 1) {
      refuse("bundle_version_unknown");
    }
    return [{ bundle }, "a bundle of version 1"];
  };

  const checkpoint = async ({ bundle, trust }) => {
    if (trust.policy.logs.every((log) => log.key.name !== bundle.origin)) {
      refuse("log_unknown");
    }
    const check = () => checkNote(bundle.checkpoint, trust.policy, bundle.origin);
    const witnessed = await orRefuseLater("checkpoint_malformed", check);
    const names = [...witnessed.cosignedAt.keys()].sort().join(", ") || "none";
    const head = witnessed.checkpoint;
    const says = `${bundle.origin} signed a head of ${head.size} entries; cosigned by: ${names}`;
    return [{ head, freshAt: witnessed.freshAt }, says];
  };

  const growth = async ({ bundle, head, known }) => {
    if (!known) {
      return [{}, "not checked: no older checkpoint was given", NOTHING];
    }
    if (head.origin !== known.origin) {
      refuse("consistency_missing");
    }
    if (head.size < known.size) {
      refuse("checkpoint_stale");
    }
    if (head.size > known.size && known.size !== BigInt(bundle.consistent_from ?? 0)) {
      refuse("consistency_missing");
    }
    const spelled = head.size > known.size ? (bundle.consistency ?? "") : "";
    const proof = hashesOf(spelled, "consistency_broken");
    await orRefuseLater("consistency_broken", () => checkConsistency(known, head, proof));
    return [{}, `it extends the head of ${known.size} entries that was known`];
  };

  const inclusion = async ({ bundle, head }) => {
    const leafText = await checkIncluded(bundle.decision, head);
    return [{ leafText }, `the decision is entry ${bundle.decision.index} of this log`];
  };

  const leaf = async ({ bundle, leafText, forms }) => {
    const read = readLeaf(leafText);
    await checkLabel(bundle.decision.key, read);
    const known = [VETO, SPEND].includes(read.t) || TwinlockReading.isNamed(read.t, forms);
    const kind = known ? read.t : "something else";
    const says = `${kind} was answered ${read.dec}, at ${instant(read.at)} UTC by its own clock`;
    return [{ leaf: read }, says];
  };

  const openings = async ({ bundle, leaf: read }) => {
    const needed = read.t === SPEND ? [...DECISION_FIELDS, "spend"] : DECISION_FIELDS;
    const opened = await openFields(bundle.decision.openings, read, needed);
    const reasons = canonicalOf(opened.reasons ?? "[]", textsForm, "opening_malformed");
    const names = Object.keys(opened).sort();
    const says = `${names.length} of ${Object.keys(read.c).length} commitments opened: ${names.join(", ")}`;
    const why = reasons.join(", ");
    return [{ opened, reasons }, why ? `${says}; what was missing: ${why}` : says];
  };

  // --- Steps 7 to 9: what was decided ---

  const policy = async ({ bundle, leaf: read, trust, forms }) => {
    if (toBase64url(await taggedHash("policy/v1", utf8(bundle.policy))) !== read.pol) {
      refuse("policy_other");
    }
    const found = canonicalOf(bundle.policy, TwinlockReading.policyForm(forms), "policy_malformed");
    const pins = trust.policies.length > 0;
    if (pins && !trust.policies.includes(read.pol)) {
      refuse("policy_not_pinned");
    }
    const pinned = pins ? "the trust file names it" : "the trust file names none";
    return [{ policy: found }, `policy version ${found.version} decided; ${pinned}`];
  };

  // Prevents: another token, paid out under the name of one that the policy names.
  const isAssetOf = (payload, exit, assets) => {
    const named = assets.filter((one) => one.symbol === payload.asset);
    if (exit.books) {
      return named.length > 0 && payload.decimals === Math.max(...named.map((one) => one.decimals));
    }
    if ((payload.network === "bank") !== (payload.type === "withdrawal.fiat")) {
      return false;
    }
    const asset = named.find((one) => one.network === payload.network);
    const contract = asset && (payload.contract ?? asset.contract ?? "");
    return Boolean(asset) && contract === (asset.contract ?? "") && payload.decimals === asset.decimals;
  };

  const readSpend = (payload, exit, opened) => {
    const [spendId, fee] = canonicalOf(opened, TwinlockReading.pair, "opening_malformed");
    if (!exit) {
      refuse("payload_other_type");
    }
    const paid = orRefuse("opening_malformed", () => readAmount(fee));
    if (!spendId) {
      refuse("opening_malformed");
    }
    if (paid > readAmount(payload.max_fee_minor ?? "0")) {
      refuse("spend_fee_too_high");
    }
    return [spendId, fee];
  };

  const payload = async ({ bundle, leaf: read, opened, policy: found, forms }) => {
    const actionId = canonicalOf(opened.action, text, "opening_malformed");
    const asked = readPayload(opened.payload, forms);
    const type = typeOf(asked, forms);
    if (![type, VETO, SPEND].includes(read.t)) {
      refuse("payload_other_type");
    }
    const owner = /^act_([a-z2-7]{26})_[a-z2-7]{26}$/.exec(actionId);
    if (!owner || `acc_${owner[1]}` !== asked.account) {
      refuse("action_other_account");
    }
    const exit = forms.payloads[asked.type].exit;
    if (exit && !isAssetOf(asked, exit, found.assets)) {
      refuse("payload_other_asset");
    }
    const spend = read.t === SPEND ? readSpend(asked, exit, opened.spend) : null;
    const digest = await payloadDigest(opened.payload);
    const decision = { ...bundle.decision, leaf: read, opened, actionId, payload: asked, type, digest, spend };
    return [{ decision }, `${type}, payload digest ${digest}`];
  };

  const claimsOf = (bundle, decision, version, forms) => {
    const issuedAt = Math.floor(decision.leaf.at / 1000);
    const { opened, spend, payload: asked } = decision;
    return {
      iss: bundle.origin,
      jti: decision.actionId,
      iat: issuedAt,
      exp: issuedAt + (spend ? forms.spend_seconds : forms.authorization_seconds),
      type: asked.type,
      account: asked.account,
      payload: asked,
      payload_digest: decision.digest,
      policy: decision.leaf.pol,
      policy_version: version,
      facts: canonicalOf(opened.facts, text, "opening_malformed"),
      index: decision.index,
      spend: spend ? spend[0] : "",
      fee_minor: spend ? spend[1] : "",
    };
  };

  const headerOf = (kid, typ) => toBase64url(utf8(canonical({ alg: "Ed25519", kid, typ })));

  // Why no key's header is this one. It is read for that only, and never believed.
  const headerFault = (header, kind, trust) => {
    const read = orRefuse("authorization_malformed", () =>
      readCanonical(readUtf8(fromBase64url(header))),
    );
    if (!TwinlockReading.isText(read?.kid) || read.typ === undefined) {
      return "authorization_malformed"; // A list has no names, nor has a text.
    }
    if (!trust.keys.has(read.kid)) {
      return "authorization_key_unknown";
    }
    return read.typ === kind ? "authorization_signature_bad" : "authorization_other_kind";
  };

  const authorization = async ({ bundle, decision, policy: found, trust, forms }) => {
    const { spend, leaf: read, type } = decision;
    const what = spend ? "this entry is a spend" : "this entry is no spend";
    if (!bundle.authorization) {
      return [{}, `none shown; ${what}`, NOTHING];
    }
    if (read.dec !== "allow" || (read.t !== type && !spend)) {
      refuse("authorization_not_allowed"); // An entry of a veto says yes to the veto.
    }
    const claims = toBase64url(utf8(canonical(claimsOf(bundle, decision, found.version, forms))));
    const end = bundle.authorization.indexOf("..");
    if (end < 0) {
      refuse("authorization_malformed");
    }
    const [header, spelled] = [bundle.authorization.slice(0, end), bundle.authorization.slice(end + 2)];
    const kind = spend ? "twinlock-spend+jwt" : "twinlock-authorization+jwt";
    const kid = [...trust.keys.keys()].find((one) => headerOf(one, kind) === header);
    const fault = headerFault(header, kind, trust);
    if (kid === undefined || header.length + claims.length + spelled.length > 16_382) {
      refuse(fault);
    }
    const signature = orRefuse(fault, () => fromBase64url(spelled, 64));
    if (!(await verifiesEd25519(trust.keys.get(kid), signature, utf8(`${header}.${claims}`)))) {
      refuse(fault);
    }
    return [{}, `signed under a trusted key over what the entry says; ${what}`];
  };

  const STEPS = [
    form,
    checkpoint,
    growth,
    inclusion,
    leaf,
    openings,
    policy,
    payload,
    authorization,
    proofs,
    bindings,
    assertions,
  ];

  // Returns what came of it: `verdict` is "verified", "refused" or "unchecked" (this browser could
  // not go on), `passed` are the steps up to there, and `found` what was shown, after all twelve only.
  // `known` is an older checkpoint whose signature was checked, or nothing.
  const verify = async (data, { trust, forms, known = null }) => {
    let found = { data, trust, forms, known };
    const passed = [];
    for (const [at, take] of STEPS.entries()) {
      const step = { number: at + 1, name: NAMES[at] };
      try {
        const [more, says, nothing = false] = await take(found);
        found = { ...found, ...more };
        passed.push({ ...step, says, nothing });
      } catch (error) {
        if (error instanceof Refused) {
          return { verdict: "refused", ...step, fault: error.fault, detail: error.detail, passed };
        }
        const why = error instanceof CannotCheck ? error.message : "this page's script met what it does not know";
        return { verdict: "unchecked", ...step, detail: why, passed };
      }
    }
    return { verdict: "verified", passed, found };
  };

  return Object.freeze({ NAMES, SPEND, VETO, verify });
})();
