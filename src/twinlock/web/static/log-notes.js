// Signed notes, checkpoints and trust policies in a browser: who signed a head of the log, and when.
//
// Always true (tests/e2e/test_bundle_pages.py): a checkpoint that comes back was signed by a key that
// is trusted for its log, and cosigned by a quorum of the trusted witnesses, where one is asked for.
//
// Source: C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-policy. In Python:
// `domain/log/note.py`, `domain/log/trust.py`, `proofs/notes.py`.
"use strict";

const TwinlockNotes = (() => {
  const { CannotCheck, Malformed, Refused } = TwinlockForms;
  const { fromBase64, hex, joined, same, sha256, sized, subtle, utf8 } = TwinlockForms;
  const { HASH_BYTES } = TwinlockTree;
  const NOTE_BYTES_MOST = 1_000_000;
  const SIGNATURES_MOST = 100;
  const ED25519 = 0x01;
  const COSIGNATURE = 0x04;
  const LAST_SECOND = 253_402_300_799n; // The end of the year 9999.

  // --- Notes and checkpoints ---

  const lines = (text) => {
    if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) {
      throw new Malformed("text holds a control character other than LF");
    }
    if (!text.endsWith("\n")) {
      throw new Malformed("the last line does not end in LF");
    }
    return text.slice(0, -1).split("\n");
  };

  const checkName = (name) => {
    if (!name || utf8(name).length > 255) {
      throw new Malformed("a name is empty or too long");
    }
    if (/[+\s\u0000-\u001f\u0085]/.test(name)) {
      throw new Malformed("a name holds a space, a plus or a control character");
    }
    return name;
  };

  const readDecimal = (text) => {
    if (!/^(?:0|[1-9][0-9]{0,17})$/.test(text)) {
      throw new Malformed("not a decimal number");
    }
    return BigInt(text);
  };

  const readSignatureLine = (line) => {
    const found = /^— ([^ ]*) (.*)$/.exec(line);
    if (!found) {
      throw new Malformed("not a signature line");
    }
    const data = fromBase64(found[2]);
    if (data.length <= 4) {
      throw new Malformed("a signature line without a signature");
    }
    return { name: checkName(found[1]), keyId: hex(data.slice(0, 4)), signature: data.slice(4) };
  };

  // C2SP signed-note: the text that keys signed, and their lines. Nothing says yet that they verify.
  const readNote = (note) => {
    const end = note.lastIndexOf("\n\n");
    if (utf8(note).length > NOTE_BYTES_MOST || end < 0) {
      throw new Malformed("a note has a text, an empty line and signatures");
    }
    const text = note.slice(0, end + 1);
    lines(text);
    const signatures = lines(note.slice(end + 2));
    if (signatures.length > SIGNATURES_MOST) {
      throw new Malformed("a note has too many signatures");
    }
    return { text, signatures: signatures.map(readSignatureLine) };
  };

  const readCheckpoint = (text) => {
    const found = lines(text);
    if (found.length < 3 || found.includes("")) {
      throw new Malformed("a checkpoint has three lines or more, none empty");
    }
    const [origin, size, root] = found;
    return { origin: checkName(origin), size: readDecimal(size), root: fromBase64(root, HASH_BYTES) };
  };

  // --- Keys ---

  // The points of small order on Ed25519, by y without its sign: under them anyone can sign.
  const SMALL_ORDER = new Set(
    [
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ],
  );

  const isSmall = (point) => {
    const y = Uint8Array.from(point);
    y[31] &= 0x7f;
    return SMALL_ORDER.has(hex(y));
  };

  const isCanonicalPoint = (point) => {
    const y = Uint8Array.from(point).reverse();
    y[0] &= 0x7f;
    return BigInt(`0x${hex(y)}`) < 2n ** 255n - 19n;
  };

  const checkEd25519 = (key) => {
    sized(key, 32);
    if (!isCanonicalPoint(key) || isSmall(key)) {
      throw new Malformed("an Ed25519 key is not canonical or of small order");
    }
    return key;
  };

  // Says whether `key` made `signature`. Throws CannotCheck in a browser without Ed25519.
  const verifiesEd25519 = async (key, signature, message) => {
    let held;
    try {
      held = await subtle().importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    } catch (error) {
      if (error.name === "DataError") {
        return false; // Not a point of the curve.
      }
      throw new CannotCheck("this browser has no Ed25519, by which logs and witnesses sign");
    }
    return signature.length === 64 && subtle().verify("Ed25519", held, signature, message);
  };

  // A C2SP key: <name>+<8 hex digits>+<base64(type ‖ 32 bytes)>.
  const readKey = async (text) => {
    const found = /^([^+]*)\+([^+]*)\+(.+)$/.exec(text);
    if (!found) {
      throw new Malformed("not a key");
    }
    const typed = fromBase64(found[3]);
    if (typed[0] !== ED25519 && typed[0] !== COSIGNATURE) {
      throw new Malformed("a key of a type not read here");
    }
    const name = checkName(found[1]);
    const bytes = checkEd25519(typed.slice(1));
    const keyId = hex((await sha256(joined(utf8(`${name}\n`), typed))).slice(0, 4));
    if (keyId !== found[2]) {
      throw new Malformed("a key's id is not its own");
    }
    return { text, name, type: typed[0], bytes, keyId };
  };

  // --- Whom to trust: C2SP tlog-policy ---

  const readThreshold = (word, members) => {
    if (word === "any" || word === "all") {
      return word === "any" ? 1 : members;
    }
    if (!/^[1-9][0-9]{0,3}$/.test(word) || Number(word) > members) {
      throw new Malformed("a group's threshold is not between one and its members");
    }
    return Number(word);
  };

  class PolicyReader {
    constructor() {
      this.policy = { logs: [], witnesses: [], groups: [], quorum: undefined };
      this.names = new Set();
      this.members = new Set();
    }

    async read([kind, ...words]) {
      if (kind === "log" && (words.length === 1 || words.length === 2)) {
        this.#room(this.policy.logs).push({ key: await this.#key(words[0], ED25519), url: words[1] });
      } else if (kind === "witness" && (words.length === 2 || words.length === 3)) {
        const key = await this.#key(words[1], COSIGNATURE);
        this.#room(this.policy.witnesses).push({ name: this.#define(words[0]), key, url: words[2] });
      } else if (kind === "group" && words.length > 2) {
        this.#group(words);
      } else if (kind === "quorum" && words.length === 1 && this.policy.quorum === undefined) {
        if (words[0] !== "none") {
          this.#defined(words[0]);
        }
        this.policy.quorum = words[0];
      } else {
        throw new Malformed("not a definition");
      }
    }

    #group([name, threshold, ...members]) {
      for (const member of members) {
        this.#defined(member);
        if (this.members.has(member)) {
          throw new Malformed("a name is a member twice");
        }
        this.members.add(member);
      }
      const needed = readThreshold(threshold, members.length);
      this.#room(this.policy.groups).push({ name: this.#define(name), threshold: needed, members });
    }

    #room(defined) {
      if (defined.length >= 32) {
        throw new Malformed("more than 32 of a kind");
      }
      return defined;
    }

    #define(name) {
      if (name === "none" || this.names.has(name)) {
        throw new Malformed("a name is defined twice, or is 'none'");
      }
      this.names.add(name);
      return name;
    }

    #defined(name) {
      if (!this.names.has(name)) {
        throw new Malformed("a name is used that no line before defines");
      }
    }

    async #key(text, type) {
      const key = await readKey(text);
      if (key.type !== type) {
        throw new Malformed("a key of the wrong type for its part");
      }
      const known = [...this.policy.logs, ...this.policy.witnesses];
      if (known.some((one) => same(one.key.bytes, key.bytes))) {
        throw new Malformed("one raw key stands on two lines");
      }
      return key;
    }
  }

  const readPolicy = async (text) => {
    if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text) || !text.endsWith("\n")) {
      throw new Malformed("a trust policy holds a control character, or its last line has no LF");
    }
    const reader = new PolicyReader();
    for (const line of text.slice(0, -1).split("\n")) {
      const words = line.split(/[ \t]+/).filter((word) => word);
      if (words.length && !words[0].startsWith("#")) {
        await reader.read(words);
      }
    }
    if (reader.policy.quorum === undefined) {
      throw new Malformed("a trust policy has no quorum");
    }
    return reader.policy;
  };

  const makesQuorum = (policy, cosigned) => {
    const reached = new Set(cosigned);
    for (const group of policy.groups) {
      if (group.members.filter((member) => reached.has(member)).length >= group.threshold) {
        reached.add(group.name);
      }
    }
    return policy.quorum === "none" || reached.has(policy.quorum);
  };

  // The latest second at or after which a whole quorum cosigned; null where none is asked for.
  const quorumFreshAt = (policy, cosignedAt) => {
    const all = [...cosignedAt];
    const since = (at) => all.filter(([, its]) => its >= at).map(([name]) => name);
    if (!makesQuorum(policy, cosignedAt.keys())) {
      throw new Refused("quorum_missing");
    }
    if (policy.quorum === "none") {
      return null;
    }
    const quorums = all.map(([, at]) => at).filter((at) => makesQuorum(policy, since(at)));
    return Math.max(...quorums);
  };

  // Returns the second at which a line cosigned, null for a log's own line. Throws Refused.
  const checkLine = async (line, key, text) => {
    let [at, signature, message] = [null, line.signature, utf8(text)];
    if (key.type === COSIGNATURE) {
      if (signature.length !== 72) {
        throw new Refused("checkpoint_untrusted");
      }
      const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
      if (seconds > LAST_SECOND) {
        throw new Refused("checkpoint_untrusted");
      }
      at = Number(seconds);
      signature = signature.slice(8);
      message = utf8(`cosignature/v1\ntime ${seconds}\n${text}`);
    }
    if (!(await verifiesEd25519(key.bytes, signature, message))) {
      throw new Refused("checkpoint_untrusted");
    }
    return at;
  };

  // Returns the checkpoint in `note` with who cosigned when, as one that the log `origin` signed.
  // Throws Malformed, Refused (checkpoint_untrusted, quorum_missing) or CannotCheck.
  const checkNote = async (note, policy, origin) => {
    const { text, signatures } = readNote(note);
    const checkpoint = readCheckpoint(text);
    if (checkpoint.origin !== origin) {
      throw new Refused("checkpoint_untrusted");
    }
    const known = [...policy.logs, ...policy.witnesses];
    const seen = new Set();
    const cosignedAt = new Map();
    let signed = false;
    for (const line of signatures) {
      const one = known.find(({ key }) => key.name === line.name && key.keyId === line.keyId);
      if (!one) {
        continue;
      }
      if (seen.has(one)) {
        throw new Refused("checkpoint_untrusted");
      }
      seen.add(one);
      const at = await checkLine(line, one.key, text);
      if (at !== null) {
        cosignedAt.set(one.name, at);
      }
      signed ||= policy.logs.includes(one) && one.key.name === origin;
    }
    if (!signed) {
      throw new Refused("checkpoint_untrusted");
    }
    return { checkpoint, cosignedAt, freshAt: quorumFreshAt(policy, cosignedAt) };
  };

  return Object.freeze({
    checkEd25519,
    checkNote,
    readCheckpoint,
    readNote,
    readPolicy,
    verifiesEd25519,
  });
})();
