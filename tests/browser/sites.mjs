// The two pages: served by the program, and static files with the networks in WebAssembly.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { extname, join, normalize } from "node:path";

const root = new URL("../../", import.meta.url).pathname;

/** The program that is built, on `port`, or any that is free; it ends with the test. */
export async function served(port = 0) {
  const options = ["serve", "--port", String(port), "--device", "cpu"];
  const program = spawn(process.env.IPCGAN ?? `${root}target/release/ipcgan`, options, { stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((resolve) => program.once("exit", resolve));
  const close = () => {
    program.kill("SIGKILL");
    return ended;
  };
  for await (const line of createInterface(program.stdout)) return { address: line, close };
  throw new Error("ipcgan serve did not begin; is it built? (cargo build --release)");
}

const KINDS = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };

/** The static files, by a server that knows nothing of photos. */
async function alone() {
  const folder = process.env.IPCGAN_WEB ?? `${root}target/web-page`;
  const server = createServer(async (request, response) => {
    const name = normalize(new URL(request.url, "http://x").pathname.replace(/\/$/, "/index.html"));
    try {
      const bytes = await readFile(join(folder, name));
      response.writeHead(200, { "content-type": KINDS[extname(name)] ?? "application/octet-stream" }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

export const sites = { "served by the program": () => served(), "in the browser alone": alone };
export const photo = (name) => `${root}assets/photos/${name}`;
export const data = (name) => `${root}tests/browser/data/${name}`;
