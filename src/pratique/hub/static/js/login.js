// A link of `pratique console login` carries its token behind the #, which no server and no log ever sees.
const form = document.querySelector("form");
const token = location.hash.slice(1);
if (token) {
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = token;
  form.requestSubmit();
}
