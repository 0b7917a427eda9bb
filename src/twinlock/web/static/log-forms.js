// Bytes, one form of JSON, and tagged hashes: what the pages of the log check everything else with.
//
// Always true (tests/e2e/test_bundle_pages.py): a value has one spelling, and what `twinlock` refuses
// is refused here too. Nothing in these files depends on anything but the browser.
//
// Source: RFC 8785; RFC 4648; docs/log-format.md. In Python: `domain/canonical.py`.
"use strict";

const TwinlockForms = (() => {
  const DEPTH_MOST = 31;

  // What was looked at does not hold. `fault` is one of the codes of docs/verify.md, where it has one.
  class Refused extends Error {
    constructor(fault, detail = "") {
      super(detail || fault);
      this.fault = fault;
      this.detail = detail;
    }
  }

  // It is not of its one form; whoever reads it says which fault that is.
  class Malformed extends Error {}

  // This browser lacks what it takes to check: nothing is said of what was to be checked.
  class CannotCheck extends Error {}

  // --- Bytes ---

  const utf8 = (text) => new TextEncoder().encode(text);

  const readUtf8 = (data) => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch {
      throw new Malformed("not UTF-8");
    }
  };

  const joined = (...parts) => {
    const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  };

  const same = (one, other) =>
    one.length === other.length && one.every((byte, at) => byte === other[at]);

  const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

  const toBase64 = (data) => {
    let text = "";
    for (const byte of data) {
      text += String.fromCharCode(byte);
    }
    return btoa(text);
  };

  const toBase64url = (data) =>
    toBase64(data).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const sized = (data, size) => {
    if (size !== undefined && data.length !== size) {
      throw new Malformed(`expected ${size} bytes`);
    }
    return data;
  };

  const fromBase64 = (text, size) => {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) {
      throw new Malformed("not base64");
    }
    const data = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (toBase64(data) !== text) {
      throw new Malformed("base64 is not in its one canonical form");
    }
    return sized(data, size);
  };

  const fromBase64url = (text, size) => {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
      throw new Malformed("not base64url");
    }
    const plain = text.replaceAll("-", "+").replaceAll("_", "/");
    return fromBase64(plain.padEnd(Math.ceil(text.length / 4) * 4, "="), size);
  };

  // --- JSON in one form ---

  // RFC 8259, as `canonical.parse_strict` takes it: no doubled key, no fraction, no integer beyond
  // 2^53 - 1, no half of a character. `loose` lets stand what only others write: fractions, any key.
  const readJson = (text, { loose = false } = {}) => {
    let at = 0;
    const fail = () => {
      throw new Malformed(at >= text.trimEnd().length && text.trim() ? "JSON that is cut off" : "not JSON");
    };
    const take = (pattern) => {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found) {
        at = pattern.lastIndex;
      }
      return found;
    };
    const space = () => take(/[ \t\n\r]*/y);
    const skip = (character) => {
      space();
      if (text[at] !== character) {
        return false;
      }
      at += 1;
      space();
      return true;
    };
    const string = () => {
      const found = take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
      if (!found) {
        take(/"(?:[^"\\\u0000-\u001f]|\\.)*\\?$/y); // The text may end within it.
        fail();
      }
      const value = JSON.parse(found[0]);
      if (!loose && /[\ud800-\udfff]/u.test(value)) {
        throw new Malformed("a string is not Unicode text");
      }
      return value;
    };
    const number = () => {
      const found = take(/-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y) || fail();
      const value = Number(found[0]);
      if (!loose && (found[1] || found[2])) {
        throw new Malformed("number not allowed");
      }
      if (!loose && (found[0].length > 17 || !Number.isSafeInteger(value))) {
        throw new Malformed("integer beyond 2^53 - 1");
      }
      return value === 0 ? 0 : value;
    };
    const list = (depth) => {
      const items = [];
      if (skip("]")) {
        return items;
      }
      do {
        items.push(any(depth));
      } while (skip(","));
      return skip("]") ? items : fail();
    };
    const object = (depth) => {
      const members = Object.create(null);
      if (skip("}")) {
        return members;
      }
      do {
        const key = string();
        if (!skip(":")) {
          fail();
        }
        if (key in members) {
          throw new Malformed("a key stands twice");
        }
        if (!loose && /[^\u0000-\u007f]/.test(key)) {
          throw new Malformed("a key is not ASCII");
        }
        members[key] = any(depth);
      } while (skip(","));
      return skip("}") ? members : fail();
    };
    const any = (depth) => {
      if (depth > DEPTH_MOST) {
        throw new Malformed("nested too deep");
      }
      const first = text[at];
      if (first === '"') {
        return string();
      }
      if (skip("{")) {
        return object(depth + 1);
      }
      if (skip("[")) {
        return list(depth + 1);
      }
      const word = take(/true|false|null/y);
      return word ? JSON.parse(word[0]) : number();
    };
    space();
    const value = any(0);
    space();
    return at === text.length ? value : fail();
  };

  // RFC 8785, of what `readJson` reads: keys are ASCII and numbers are whole.
  const canonical = (value) => {
    if (Array.isArray(value)) {
      return `[${value.map(canonical).join(",")}]`;
    }
    if (value !== null && typeof value === "object") {
      const members = Object.keys(value).sort();
      return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
    }
    return JSON.stringify(value);
  };

  const readCanonical = (text) => {
    const value = readJson(text);
    if (canonical(value) !== text) {
      throw new Malformed("JSON is not in canonical form");
    }
    return value;
  };

  // --- Hashes ---

  const subtle = () => {
    if (!globalThis.crypto?.subtle) {
      throw new CannotCheck("this browser hashes and verifies on https:// pages only");
    }
    return globalThis.crypto.subtle;
  };

  const sha256 = async (data) => new Uint8Array(await subtle().digest("SHA-256", data));

  const u64 = (number) => {
    const data = new Uint8Array(8);
    new DataView(data.buffer).setBigUint64(0, BigInt(number));
    return data;
  };

  const framed = (tag, parts) =>
    joined(utf8(`twinlock/${tag}\0`), ...parts.flatMap((part) => [u64(part.length), part]));

  const taggedHash = (tag, ...parts) => sha256(framed(tag, parts));

  const taggedMac = async (key, tag, ...parts) => {
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const held = await subtle().importKey("raw", key, hmac, false, ["sign"]);
    return new Uint8Array(await subtle().sign("HMAC", held, framed(tag, parts)));
  };

  return Object.freeze({
    CannotCheck,
    Malformed,
    Refused,
    canonical,
    fromBase64,
    fromBase64url,
    hex,
    joined,
    readCanonical,
    readJson,
    readUtf8,
    same,
    sha256,
    sized,
    subtle,
    taggedHash,
    taggedMac,
    toBase64,
    toBase64url,
    u64,
    utf8,
  });
})();
