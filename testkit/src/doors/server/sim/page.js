// Asks the node once a second and shows what it says. Everything goes in as text, never as markup.
"use strict";

const PAUSE_MS = 1000;
const ROWS_MAX = 200;
const token = new URLSearchParams(location.search).get("token") ?? "";
const byId = (id) => document.getElementById(id);

function made(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.map(String));
  return element;
}

function cell(text, className) {
  return made("td", className, text ?? "–");
}

function bytes(count) {
  if (!count) return "–";
  for (const [unit, size] of [["T", 2 ** 40], ["G", 2 ** 30], ["M", 2 ** 20]]) {
    if (count >= size) return `${Math.round((count / size) * 10) / 10} ${unit}`;
  }
  return `${count}`;
}

function span(seconds) {
  if (seconds == null) return "–";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
}

const clock = (millis) => new Date(millis).toISOString().slice(11, 19);

function guestRow(guest) {
  const row = made("tr");
  row.dataset.vmid = guest.vmid;
  const state = guest.lock ? `${guest.status}, locked: ${guest.lock}` : guest.status;
  const tags = made("td");
  for (const tag of guest.tags) tags.append(made("span", "tag", tag));
  if (guest.pending.length > 0) tags.append(made("span", "tag busy", `waits for restart: ${guest.pending.join(", ")}`));
  row.append(
    cell(guest.vmid, "number"), cell(guest.name, "name"), cell(state, guest.lock ? "busy" : guest.status),
    cell(guest.cores, "number"), cell(bytes(guest.memory), "number"), cell(bytes(guest.disk), "number"),
    cell(guest.address), cell(span(guest.uptime), "number"), tags,
  );
  return row;
}

function taskRow(task) {
  const row = made("tr");
  row.title = task.upid;
  const class_ = task.status === "running" ? "busy" : task.status === "OK" ? "ok" : task.status.startsWith("WARNINGS") ? "busy" : "failed";
  row.append(
    cell(clock(task.start * 1000)), cell(task.kind, "name"), cell(task.id || "–", "number"), cell(task.user),
    cell(task.end == null ? "–" : span(task.end - task.start), "number"), cell(task.status, class_),
  );
  return row;
}

function fill(table, rows) {
  const body = byId(table).tBodies[0];
  body.replaceChildren(...rows);
  byId(table).hidden = rows.length === 0;
  byId(table).closest("section").querySelector(".empty").hidden = rows.length > 0;
}

function query(exchange) {
  if (!exchange.query) return "";
  return "?" + Object.entries(exchange.query).map(([name, value]) => `${name}=${value}`).join("&");
}

function exchangeRow(exchange) {
  const row = made("details");
  row.dataset.number = exchange.number;
  const summary = made("summary");
  const part = (className, text) => summary.append(made("span", className, text));
  part("time faint", clock(exchange.time));
  part("method", exchange.method);
  part(exchange.status < 400 ? "ok" : "failed", exchange.status);
  part("path", exchange.path + query(exchange));
  part("took faint number", `${exchange.millis} ms`);
  row.append(summary);
  row.dataset.text = summary.textContent.toLowerCase();
  // What is inside is written when somebody looks.
  row.addEventListener("toggle", () => {
    if (!row.open || row.querySelector("pre")) return;
    const sent = exchange.form ?? exchange.body;
    if (sent !== undefined) row.append(made("pre", "", JSON.stringify(sent, null, 2)));
    const answer = typeof exchange.response === "string" ? exchange.response : JSON.stringify(exchange.response, null, 2);
    row.append(made("pre", "", `${exchange.status} ${exchange.reason ?? ""}\n${answer}`));
  });
  return row;
}

let last = 0;

function showExchanges(exchanges, seen) {
  const list = byId("exchanges");
  if (seen < last) {
    // The journal was emptied.
    list.replaceChildren();
    last = 0;
  }
  for (const exchange of exchanges.filter((it) => it.number > last)) {
    list.prepend(exchangeRow(exchange));
    last = exchange.number;
  }
  while (list.children.length > ROWS_MAX) list.lastElementChild.remove();
  byId("seen").textContent = seen === 0 ? "" : `${seen} seen`;
  list.parentElement.querySelector(".empty").hidden = list.children.length > 0;
  filter();
}

function filter() {
  const wanted = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of byId("exchanges").children) {
    row.hidden = !wanted.every((word) => row.dataset.text.includes(word));
  }
}

function state(name, words) {
  byId("state").dataset.state = name;
  byId("state").textContent = words;
}

function show(world) {
  document.title = `${world.node} – Proxmox CI node`;
  byId("node").textContent = world.node;
  byId("version").textContent = `Proxmox VE ${world.version}, ${world.real ? "real containers" : "containers in memory"}`;
  const running = world.guests.filter((guest) => guest.status === "running").length;
  const faults = world.faults === 0 ? "" : ` · ${world.faults} faults ordered`;
  byId("numbers").textContent = `${world.guests.length} guests, ${running} running${faults} · ${clock(world.now)} UTC${world.frozen ? ", frozen" : ""}`;
  fill("guests", world.guests.map(guestRow));
  fill("tasks", world.tasks.map(taskRow));
  showExchanges(world.exchanges, world.seen);
}

async function ask() {
  const answer = await fetch("/_sim/overview", {
    headers: { authorization: `Bearer ${token}` },
    cache: "no-store",
    signal: AbortSignal.timeout(10 * PAUSE_MS),
  });
  if (answer.status === 401) return state("gone", "another node listens here now: open its address");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  show(await answer.json());
  state("live", "live");
}

async function follow() {
  if (!byId("pause").checked && !document.hidden) {
    try {
      await ask();
    } catch {
      state("gone", "the node does not answer");
    }
  } else if (byId("pause").checked) {
    state("waiting", "standing still");
  }
  setTimeout(follow, PAUSE_MS);
}

byId("filter").addEventListener("input", filter);
follow();
