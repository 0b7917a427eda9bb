// The page that verifies a bundle: takes the files, has them verified here, and tells what came of it.
//
// Always true (tests/e2e/test_bundle_pages.py): nothing is sent; "verified" is said only where all twelve
// steps held; what the bundle says is shown as plain text, and only after that.
//
// Every word about an outcome stands in the page, or in `proofs/bundle_faults.py`.
"use strict";

(() => {
  const { Malformed, Refused, readUtf8 } = TwinlockForms;
  const { checkNote, readCheckpoint, readNote } = TwinlockNotes;
  const { readTrust } = TwinlockReading;
  const { NAMES, verify } = TwinlockBundle;
  const { limits, lines, plain, verdict } = TwinlockWords;
  const FILE_BYTES_MOST = 65_536;
  const words = document.querySelector("[data-words]").dataset;
  const told = (name) => JSON.parse(document.querySelector(`#${name}`).content.textContent);
  const forms = told("forms");
  const faults = told("faults");
  const region = document.querySelector("[data-told=verdict]");
  const shown = document.querySelector("[data-shown]");
  const form = document.querySelector("[data-verify]");

  // --- Telling ---

  const element = (name, text) => {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  };

  const clear = () => {
    region.querySelectorAll("[data-outcome]").forEach((one) => {
      one.hidden = true;
    });
    shown.hidden = true;
    document.querySelectorAll("[data-step]").forEach((one) => {
      one.querySelector("[data-mark]").hidden = true;
      one.querySelector("[data-says]").hidden = true;
    });
  };

  const show = (outcome, places = {}) => {
    clear();
    const found = region.querySelector(`[data-outcome=${outcome}]`);
    for (const [place, text] of Object.entries(places)) {
      found.querySelector(`[data-place=${place}]`).textContent = text;
    }
    found.hidden = false;
  };

  const mark = (name, tone, word, says = "") => {
    const step = document.querySelector(`[data-step=${name}]`);
    const badge = step.querySelector("[data-mark]");
    badge.className = `badge ${tone}`;
    badge.textContent = word;
    badge.hidden = false;
    const line = step.querySelector("[data-says]");
    line.textContent = plain(says);
    line.hidden = !says;
  };

  const markSteps = (result) => {
    const passed = new Map(result.passed.map((step) => [step.name, step]));
    for (const name of NAMES) {
      const step = passed.get(name);
      if (step) {
        mark(name, ...(step.nothing ? ["over", words.nothing] : ["good", words.passed]), step.says);
      } else if (name === result.name && result.verdict === "refused") {
        mark(name, "bad", words.failed, whyOf(result));
      } else {
        mark(name, "over", words.open);
      }
    }
  };

  const whyOf = ({ fault, detail }) => {
    const sentence = faults[fault] ?? fault;
    if (fault === "bundle_malformed") {
      return `this is not a bundle: ${detail}`;
    }
    return detail ? `${sentence} (${detail})` : sentence;
  };

  const tell = (result, { whose, grown }) => {
    if (result.verdict === "refused") {
      const places = { why: plain(whyOf(result)), number: `${result.number}, ${result.name}` };
      show("refused", { ...places, fault: result.fault });
    } else if (result.verdict === "unchecked") {
      show("unchecked", { why: result.detail, number: `${result.number}, ${result.name}` });
    } else {
      const skipped = result.passed.filter((one) => one.nothing).length;
      const onlyGrowth = skipped === 1 && !grown;
      const steps = skipped === 0 ? words.all : onlyGrowth ? words.allButGrowth : words.allChecked;
      const consent = result.found.consents.length ? words.consent : words.noConsent;
      show("verified", { verdict: plain(verdict(result.found, forms)), consent, whose, steps });
      const rows = lines(result.found, forms).map(([name, value]) => {
        const row = document.createElement("div");
        const said = element("dd", "");
        said.append(element("code", plain(value)));
        row.append(element("dt", plain(name)), said);
        return row;
      });
      document.querySelector("[data-lines]").replaceChildren(...rows);
      const items = limits(result.found).map((line) => element("li", plain(line)));
      document.querySelector("[data-limits]").replaceChildren(...items);
      shown.hidden = false;
    }
    markSteps(result);
  };

  // --- What the visitor gives ---

  // A file that is too large is not read whole: one byte beyond the limit says enough.
  const bytesOf = async (file) =>
    new Uint8Array(await file.slice(0, FILE_BYTES_MOST + 1).arrayBuffer());

  const trustOf = async (file) => {
    const spelled = document.querySelector("[data-trust]").textContent;
    return readTrust(file ? await bytesOf(file) : new TextEncoder().encode(spelled));
  };

  // An older checkpoint counts only if it is signed, and cosigned, as the trust file asks.
  const knownOf = async (file, trust) => {
    if (!file) {
      return null;
    }
    const note = readUtf8(await bytesOf(file));
    const { origin } = readCheckpoint(readNote(note).text);
    return (await checkNote(note, trust.policy, origin)).checkpoint;
  };

  // Reads one of the files that come before the bundle; where it is none, says so and returns nothing.
  const readOr = async (outcome, read) => {
    try {
      return { value: await read() };
    } catch (error) {
      const told = error instanceof Malformed || error instanceof Refused;
      const why = error instanceof Refused ? (faults[error.fault] ?? error.fault) : error.message;
      show(told ? outcome : "unreadable", told ? { why } : {});
      return null;
    }
  };

  let turn = 0; // What was chosen last: a verdict on other files is not shown.
  const run = async () => {
    const mine = turn;
    const [bundle, trustFile, since] = ["bundle", "trust", "since"].map(
      (name) => form.elements[name].files[0],
    );
    const own = form.elements.whom.value === "own";
    if (!bundle || (own && !trustFile)) {
      show(bundle ? "no-trust" : "no-bundle");
      return;
    }
    show("working");
    const trust = await readOr("trust-unusable", () => trustOf(own ? trustFile : undefined));
    const known = trust && (await readOr("since-unusable", () => knownOf(since, trust.value)));
    if (!known) {
      return;
    }
    const given = { trust: trust.value, forms, known: known.value };
    const said = await readOr("unreadable", async () => verify(await bytesOf(bundle), given));
    if (said && mine === turn) {
      tell(said.value, { whose: own ? words.own : words.service, grown: known.value !== null });
    }
  };

  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) {
      return;
    }
    busy = true;
    try {
      await run();
    } catch {
      show("unreadable");
    } finally {
      busy = false;
    }
  });
  form.addEventListener("change", () => {
    turn += 1;
    clear();
    document.querySelector("[data-own-trust]").hidden = form.elements.whom.value !== "own";
  });
  document.querySelector("[data-needs-script]").hidden = true;
  form.hidden = false;
})();
