// What a verified bundle says, in words: the sentences and the lines that `twinlock verify` prints.
//
// Always true (tests/e2e/test_bundle_pages.py): the sentence is the one of `cli/verdict.py`, for every
// bundle that the tests know; only a yes reads like one.
"use strict";

const TwinlockWords = (() => {
  const { SPEND, VETO } = TwinlockBundle;

  // Prevents: reversed or invisible text, by which what a bundle says writes its own verdict.
  const plain = (text) =>
    Array.from(text, (one) =>
      one >= " " && one <= "~" ? one : `\\u{${one.codePointAt(0).toString(16)}}`,
    ).join("");

  const seconds = (at) => new Date(at).toISOString().slice(0, 19).replace("T", " ");

  // --- Verdict words, as `twinlock verify` has them ---

  const SAID = {
    read_only: "was allowed to look, freeze and veto, and nothing else",
    challenge: "was not allowed yet: a proof was missing",
    hold: "was held: it was not allowed before a later time",
    review: "was not allowed yet: people had to agree",
    deny: "was not allowed: it was refused, or had lapsed",
  };

  const verdict = ({ decision, leaf, reasons }, forms) => {
    const name = decision.type;
    if (leaf.t === VETO) {
      return `${name} was ${leaf.dec === "allow" ? "vetoed" : `not vetoed: ${leaf.dec}`}`;
    }
    if (leaf.t === SPEND) {
      return leaf.dec === "allow" ? `${name} was authorized and spent` : `${name} was not spent: ${leaf.dec}`;
    }
    const yes = forms.payloads[name]?.exit || forms.unbuilt_exits.includes(name)
      ? "was authorized, and not spent by this entry"
      : "was allowed and took effect";
    const sentence = `${name} ${leaf.dec === "allow" ? yes : SAID[leaf.dec]}`;
    return reasons.length ? `${sentence} (${reasons.join(", ")})` : sentence;
  };

  const inUnits = (minor, decimals) => {
    if (decimals <= 0 || decimals > 77) {
      return minor;
    }
    const digits = minor.padStart(decimals + 1, "0");
    const whole = `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
    return whole.replace(/0+$/, "").replace(/\.$/, "");
  };
  const amount = (minor, payload) => `${inUnits(minor, payload.decimals)} ${payload.asset} (${minor})`;
  const fee = (minor, payload) =>
    payload.contract
      ? `${minor} of the smallest units of the network's own coin`
      : amount(minor, payload);

  const ago = (ms) => {
    const hours = Math.floor((Date.now() - ms) / 3_600_000);
    if (hours < 0) {
      return "in this device's future";
    }
    return hours < 48 ? `${hours} hours ago by this device` : `${Math.floor(hours / 24)} days ago by this device`;
  };

  // Name and value of every member of the payload that is not empty, and of a spend.
  const payloadLines = ({ decision }, forms) => {
    const { payload, spend } = decision;
    const exit = forms.payloads[payload.type].exit;
    const told = Object.entries(payload).map(([name, value]) => {
      if (exit && name === "amount_minor") {
        return [name, amount(value, payload)];
      }
      if (exit && name === "max_fee_minor") {
        return [name, fee(value, payload)];
      }
      return [name, Array.isArray(value) ? value.join(", ") : String(value)];
    });
    const spent = spend ? [["spend_id", spend[0]], ["fee_minor", fee(spend[1], payload)]] : [];
    return [...told.filter(([, value]) => value), ...spent];
  };

  const lines = (found, forms) => {
    const { decision, head, leaf, policy } = found;
    return [
      ...payloadLines(found, forms),
      ["action", decision.actionId],
      ["payload digest", decision.digest],
      ["policy", `version ${policy.version}, digest ${leaf.pol}`],
      ["entry", `${decision.index} of ${head.size} in ${head.origin}`],
      ["decided at", `${seconds(leaf.at)} UTC by the operator's clock, ${ago(leaf.at)}`],
    ];
  };

  const limits = ({ consents, devices, recorded, freshAt }) => {
    const dated =
      freshAt === null
        ? "no witness is asked for: the operator alone says when"
        : `a whole quorum cosigned at ${seconds(freshAt * 1000)} UTC or later, ${ago(freshAt * 1000)}`;
    return [
      `the customer's own signature: ${consents.length || "none"}`,
      ...devices.map(
        (one) =>
          `signed by device key ${one.thumbprint}, of the session begun in entry ${one.sessionIndex}, at ${seconds(one.signedAt)} UTC by the device`,
      ),
      `by the operator's record only: ${recorded.join(", ") || "nothing"}`,
      `time: ${dated}`,
      "not shown: what happened after this entry, and what the log does not hold",
    ];
  };

  return Object.freeze({ limits, lines, payloadLines, plain, verdict });
})();
