// A button that makes a passkey (data-mode="create") or signs in with one (data-mode="get"). Hidden where the browser cannot.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function parsed(options) {
  const found = { ...options, challenge: bytes(options.challenge) };
  if (options.user) found.user = { ...options.user, id: bytes(options.user.id) };
  for (const list of ["excludeCredentials", "allowCredentials"]) {
    if (options[list]) found[list] = options[list].map((c) => ({ ...c, id: bytes(c.id) }));
  }
  return found;
}

function told(credential) {
  const response = { clientDataJSON: text(credential.response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = text(credential.response[part]);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, clientExtensionResults: {}, response };
}

async function post(url, fields = {}) {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const answer = await fetch(url, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(fields) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error ?? `The console answered with status ${answer.status}.`);
  return said;
}

export default function start(button) {
  if (!window.PublicKeyCredential) return {};
  button.hidden = false;
  const { mode, options, finish, next = "", name, error } = button.dataset;
  const complain = (words) => {
    const place = document.querySelector(error);
    place.hidden = !words;
    place.querySelector("[data-words]").textContent = words;
  };
  const run = async () => {
    complain("");
    button.disabled = true;
    try {
      const publicKey = parsed(await post(options));
      const credential = await navigator.credentials[mode]({ publicKey });
      const said = await post(finish, { answer: JSON.stringify(told(credential)), next, name: name ? document.querySelector(name).value : "" });
      location.assign(said.next);
    } catch (e) {
      complain(e.name === "NotAllowedError" ? "Nothing was chosen, or it took too long." : e.name === "InvalidStateError" ? "This device has a passkey for you already." : e.message);
      button.disabled = false;
    }
  };
  button.addEventListener("click", run);
  return { stop: () => button.removeEventListener("click", run) };
}
