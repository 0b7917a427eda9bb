// The passkey ceremonies of our pages: ask, have the device sign, hand the answer over; and where
// somebody takes up an invitation, have it make a passkey.
// The page decides and tells everything; this script only carries. Every word that it shows stands in
// the page or in an answer of our own server, and is set as text.
"use strict";

(() => {
  const OVER = 409; // The action is over, or has lapsed: the page says how.
  const SHOWN = "already_shown"; // In another tab.

  class Refused extends Error {
    constructor(status, told) {
      super(told.words || "");
      this.over = status === OVER || told.fault === SHOWN;
    }
  }

  const bytes = (text) => {
    const padded = text.replaceAll("-", "+").replaceAll("_", "/");
    return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
  };

  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");

  // WebAuthn Level 3, 5.1.9; older browsers have the ceremony and not its JSON.
  const read = (options) => {
    if (typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function") {
      return PublicKeyCredential.parseRequestOptionsFromJSON(options);
    }
    const known = (one) => ({ ...one, id: bytes(one.id) });
    return {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: options.allowCredentials.map(known),
    };
  };

  // WebAuthn Level 3, 5.1.1; some password managers hand out objects that lack it.
  const write = (credential) => {
    if (typeof credential.toJSON === "function") {
      return credential.toJSON();
    }
    const answer = credential.response;
    const response = {
      authenticatorData: text(answer.authenticatorData),
      clientDataJSON: text(answer.clientDataJSON),
      signature: text(answer.signature),
    };
    if (answer.userHandle) {
      response.userHandle = text(answer.userHandle);
    }
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
      clientExtensionResults: {},
      response,
    };
  };

  // WebAuthn Level 3, 5.1.8 and 5.1.1, of a new passkey.
  const readNew = (options) => {
    if (typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function") {
      return PublicKeyCredential.parseCreationOptionsFromJSON(options);
    }
    const known = (one) => ({ ...one, id: bytes(one.id) });
    return {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: options.excludeCredentials.map(known),
    };
  };

  const writeNew = (credential) => {
    if (typeof credential.toJSON === "function") {
      return credential.toJSON();
    }
    const answer = credential.response;
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      clientExtensionResults: {},
      response: {
        attestationObject: text(answer.attestationObject),
        clientDataJSON: text(answer.clientDataJSON),
        transports: answer.getTransports ? answer.getTransports() : [],
      },
    };
  };

  const send = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
      redirect: "error",
    });
    const told = await answer.json();
    if (!answer.ok) {
      throw new Refused(answer.status, told);
    }
    return told;
  };

  const way = document.querySelector("[data-passkey]");
  if (!way) {
    return;
  }
  const path = way.dataset.passkey;
  const button = way.querySelector("button");
  const said = way.querySelector("[role=status]");
  const say = (words) => {
    said.textContent = words;
  };
  let busy = false;

  // Returns the signed answer, or nothing when the person or the device would not give one.
  const sign = async (options) => {
    try {
      return write(await navigator.credentials.get({ publicKey: read(options) }));
    } catch (error) {
      say(error.name === "NotAllowedError" ? way.dataset.cancelled : way.dataset.failed);
      return undefined;
    }
  };

  const make = async (options) => {
    try {
      return writeNew(await navigator.credentials.create({ publicKey: readNew(options) }));
    } catch (error) {
      say(error.name === "NotAllowedError" ? way.dataset.cancelled : way.dataset.failed);
      return undefined;
    }
  };

  const takeUp = async () => {
    say(way.dataset.asking);
    const response = await make(JSON.parse(way.dataset.creates));
    if (response === undefined) {
      return;
    }
    say(way.dataset.sending);
    const told = await send(`${path}/passkey`, { response });
    button.hidden = true;
    say(told.taken ? way.dataset.done : way.dataset.refused);
  };

  const confirm = async () => {
    const asked = await send(`${path}/challenge`, { factor: "passkey" });
    say(way.dataset.asking);
    const response = await sign(asked.options);
    if (response === undefined) {
      return;
    }
    say(way.dataset.sending);
    const box = way.querySelector("input[name=forced]");
    const own = box === null ? {} : { forced: box.checked };
    await send(`${path}/assertion`, { challenge_id: asked.challenge_id, response, ...own });
    if (way.dataset.done) {
      button.hidden = true;
      say(way.dataset.done);
      return;
    }
    location.replace(path);
  };

  button.addEventListener("click", async () => {
    if (busy) {
      return;
    }
    busy = true;
    button.setAttribute("aria-disabled", "true");
    try {
      await (way.dataset.creates ? takeUp() : confirm());
    } catch (error) {
      if (error instanceof Refused && error.over) {
        location.replace(path);
      } else {
        say(error instanceof Refused ? error.message : way.dataset.unreachable);
      }
    } finally {
      busy = false;
      button.removeAttribute("aria-disabled");
    }
  });

  way.querySelector("[data-needs-script]").hidden = true;
  if (window.PublicKeyCredential) {
    button.hidden = false;
  } else {
    say(way.dataset.unsupported);
  }
})();
