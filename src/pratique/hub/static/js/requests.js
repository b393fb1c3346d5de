// What every request of htmx carries, and what is said when one fails.
import { announce } from "./live.js";

export function startRequests() {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    if (token && ctx.request.method !== "GET") ctx.request.headers["X-CSRF-Token"] = token;
  });
  document.addEventListener("htmx:error", () => announce("The console did not answer. Try again."));
  document.addEventListener("submit", askFirst, true);
}

// A form that does harm asks first: <form data-confirm="Cut all traffic of checkout?">.
function askFirst(event) {
  const question = event.target.dataset?.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
    event.stopPropagation();
  }
}
