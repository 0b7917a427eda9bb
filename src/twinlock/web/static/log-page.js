// The page of the log: keeps the last checkpoint that this browser saw, and compares it with the newest.
//
// Always true (tests/e2e/test_log_page.py): what was kept is replaced only by a head that is signed,
// where this browser can tell, and that was computed to begin with what was kept. A head that
// contradicts it is kept beside it, until the visitor has both forgotten.
//
// Every word that is shown stands in the page; this script chooses, and fills places in as text.
"use strict";

(() => {
  const { CannotCheck, Malformed, Refused, same } = TwinlockForms;
  const { checkConsistency, makeConsistencyProof } = TwinlockTree;
  const { checkNote, readCheckpoint, readNote, readPolicy } = TwinlockNotes;
  const KEPT = "twinlock.log";
  const TRIES = 3; // Another process of the service may be a moment behind the one seen before.
  const PAUSE_MS = 1500;
  const section = document.querySelector("#own");
  const origin = section.dataset.origin;

  // --- Telling ---

  const told = (name) => {
    const region = document.querySelector(`[data-told=${name}]`);
    return {
      clear() {
        region.querySelectorAll("[data-outcome]").forEach((one) => {
          one.hidden = true;
        });
      },
      show(outcome, places = {}) {
        const found = region.querySelector(`[data-outcome=${outcome}]`);
        for (const [place, words] of Object.entries(places)) {
          found.querySelectorAll(`[data-place=${place}]`).forEach((one) => {
            one.textContent = words;
          });
        }
        found.hidden = false;
      },
    };
  };
  const own = told("own");
  const other = told("other");
  const dated = (at) => {
    const date = new Date(at);
    return Number.isNaN(date.getTime()) ? "?" : date.toLocaleString(document.documentElement.lang);
  };

  // --- What this browser keeps: one note, when it was seen, and one that contradicts it ---

  // Throws where it cannot be read any more.
  const kept = () => {
    const text = localStorage.getItem(KEPT);
    if (text === null) {
      return null;
    }
    const value = JSON.parse(text);
    readCheckpoint(readNote(value.note).text);
    return value;
  };
  const keep = (value) => localStorage.setItem(KEPT, JSON.stringify(value));

  // --- The log ---

  // The log answers, and has nothing of the kind.
  class NotThere extends Error {}

  const fetched = async (path, options) => {
    const answer = await fetch(path, { credentials: "omit", redirect: "error", ...options });
    if (answer.status === 404) {
      throw new NotThere(path);
    }
    if (!answer.ok) {
      throw new TypeError("not answered");
    }
    return answer;
  };
  const newestNote = async () => (await fetched("/checkpoint", { cache: "no-store" })).text();
  const tile = async (path) => new Uint8Array(await (await fetched(`/${path}`)).arrayBuffer());

  // Returns the head in `note`, and who cosigned it; `signed` is false where this browser cannot tell.
  const headOf = async (note) => {
    const head = readCheckpoint(readNote(note).text);
    if (head.origin !== origin) {
      return { head, signed: false, by: [] };
    }
    try {
      const checked = await checkNote(note, await readPolicy(section.dataset.policy), origin);
      return { head, signed: true, by: [...checked.cosignedAt.keys()] };
    } catch (error) {
      if (error instanceof CannotCheck && globalThis.crypto?.subtle) {
        return { head, signed: false, by: [] };
      }
      throw error;
    }
  };

  // Says how `head` follows from `old`: one word for what to show, and what fills its places.
  const follow = async (old, head) => {
    const places = { old: String(old.size), new: String(head.size) };
    if (old.origin !== head.origin) {
      return ["renamed", { old: old.origin, new: head.origin }];
    }
    if (head.size === old.size) {
      return [same(head.root, old.root) ? "same" : "forked", places];
    }
    if (head.size < old.size) {
      return [head.size === 0n ? "shrank" : await lookBehind(old, head), places];
    }
    const { proof, tiles } = await makeConsistencyProof(old.size, head.size, tile);
    const grown = await leads(old, head, proof);
    return [grown ? "grown" : "forked", { ...places, tiles: String(tiles) }];
  };

  const leads = async (old, head, proof) => {
    try {
      await checkConsistency(old, head, proof);
      return true;
    } catch (error) {
      if (error instanceof Malformed) {
        return false;
      }
      throw error;
    }
  };

  // The log shows a smaller head: does it serve what the larger one stood for still? The proof
  // between them is made from the larger one's tiles, and leads to its root.
  const lookBehind = async (old, head) => {
    try {
      const { proof } = await makeConsistencyProof(head.size, old.size, tile);
      return (await leads(head, old, proof)) ? "behind" : "forked";
    } catch (error) {
      if (error instanceof NotThere) {
        return "shrank";
      }
      throw error;
    }
  };

  // Fetches the newest head, again where it is smaller than what was seen before.
  const newest = async (old) => {
    for (let left = TRIES; ; left -= 1) {
      const note = await newestNote();
      const found = await headOf(note);
      const behind = old && found.head.origin === old.origin && found.head.size < old.size;
      if (!behind || left === 1) {
        return { note, ...found };
      }
      await new Promise((later) => setTimeout(later, PAUSE_MS));
    }
  };

  const wrong = (error) => {
    if (error instanceof Refused) {
      return error.fault === "quorum_missing" ? "unwitnessed" : "unsigned";
    }
    if (error instanceof CannotCheck) {
      return "unhashed";
    }
    // A tile of another size than its path says, a broken note, no answer: nothing was compared.
    return "unreachable";
  };

  // --- Against what this browser saw last ---

  const showAgainst = (before) => {
    if (before?.against) {
      own.show("against", {
        kept: before.note,
        "kept-when": dated(before.at),
        against: before.against,
        "against-when": dated(before.against_at),
      });
    }
  };

  const showSigned = (found) => {
    if (found.signed) {
      own.show("signed", { by: found.by.join(", ") || section.dataset.nobody });
    } else if (found.head.origin === origin) {
      own.show("no-ed25519");
    }
  };

  // What to keep after a look: the newest head, or both where they contradict each other.
  const afterwards = (before, outcome, found) => {
    const at = new Date().toISOString();
    if (["shrank", "forked", "renamed"].includes(outcome)) {
      return { against: found.note, against_at: at, ...before };
    }
    if (outcome === "behind") {
      return before;
    }
    return { ...before, note: found.note, at };
  };

  const compareOwn = async (before) => {
    const old = before && readCheckpoint(readNote(before.note).text);
    const found = await newest(old);
    const first = ["first", { new: String(found.head.size) }];
    const [outcome, places] = old ? await follow(old, found.head) : first;
    const after = afterwards(before, outcome, found);
    document.querySelector("[data-checkpoint]").textContent = found.note;
    own.clear();
    own.show(outcome, { ...places, when: before ? dated(before.at) : "" });
    showSigned(found);
    showAgainst(after);
    try {
      keep(after);
    } catch {
      own.show("no-storage");
    }
  };

  const checkOwn = async () => {
    own.clear();
    own.show("working");
    let before = null;
    try {
      before = kept();
    } catch (error) {
      own.clear();
      own.show(error.name === "SecurityError" ? "no-storage" : "unread");
      return;
    }
    try {
      await compareOwn(before);
    } catch (error) {
      own.clear();
      own.show(wrong(error));
      showAgainst(before);
    }
  };

  // --- Against what somebody else was shown ---

  // A text field ends lines in its own way, and people paste with or without the last one.
  const pasted = (text) => `${text.replaceAll("\r\n", "\n").trim()}\n`;

  const compareOther = async (note) => {
    const given = await headOf(note);
    if (given.head.origin !== origin) {
      throw new Refused("checkpoint_untrusted");
    }
    const found = await newest(given.head);
    const [outcome, places] = await follow(given.head, found.head);
    other.clear();
    other.show(outcome, places);
    if (!given.signed || !found.signed) {
      other.show("no-ed25519");
    }
  };

  const checkOther = async (text) => {
    other.clear();
    other.show("working");
    const note = pasted(text);
    try {
      readCheckpoint(readNote(note).text);
    } catch {
      other.clear();
      other.show("unread");
      return;
    }
    try {
      await compareOther(note);
    } catch (error) {
      other.clear();
      other.show(wrong(error));
    }
  };

  // --- What the visitor does ---

  let busy = false;
  const alone = (action) => async (event) => {
    event?.preventDefault();
    if (busy) {
      return;
    }
    busy = true;
    try {
      await action();
    } finally {
      busy = false;
    }
  };

  document.querySelectorAll("[data-needs-script]").forEach((one) => {
    one.hidden = true;
  });
  document.querySelectorAll("[data-with-script]").forEach((one) => {
    one.hidden = false;
  });
  document.querySelector("[data-check]").addEventListener("click", alone(checkOwn));
  document.querySelector("[data-forget]").addEventListener(
    "click",
    alone(async () => {
      localStorage.removeItem(KEPT);
      await checkOwn();
    }),
  );
  const form = document.querySelector("[data-compare]");
  form.addEventListener("submit", alone(() => checkOther(form.elements.other.value)));
  alone(checkOwn)();
})();
