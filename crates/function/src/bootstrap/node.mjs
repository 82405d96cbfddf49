// Runs a Node handler as a Lambda function: asks the Runtime API for calls and answers them.
//
// A function that brings aws-lambda-ric is run by that instead. `awslambda.streamifyResponse` and
// `awslambda.HttpResponseStream` are there as on Lambda.

import { existsSync } from "node:fs";
import { Agent, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";

const api = process.env.AWS_LAMBDA_RUNTIME_API;
const root = process.env.LAMBDA_TASK_ROOT ?? process.cwd();
const handlerName = process.env._HANDLER;
const prefix = "/2018-06-01/runtime";
const httpAnswer = "application/vnd.awslambda.http-integration-response";
const streaming = Symbol.for("aws.lambda.runtime.handler.streaming");
const agent = new Agent({ keepAlive: true, maxSockets: 2 });
const separator = Buffer.alloc(8);

globalThis.awslambda = {
  streamifyResponse(handler) {
    handler[streaming] = "response";
    return handler;
  },
  HttpResponseStream: {
    from(stream, head) {
      stream.setContentType(httpAnswer);
      stream.write(JSON.stringify(head));
      stream.write(separator);
      return stream;
    },
  },
};

function send(method, path, headers) {
  const [host, port] = api.split(":");
  return request({ host, port, method, path: prefix + path, headers, agent });
}

function read(response) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    response.on("data", (chunk) => chunks.push(chunk));
    response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    response.on("error", reject);
  });
}

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const sent = send(method, path, { ...headers, ...length });
    sent.on("response", (response) => read(response).then(resolve, reject));
    sent.on("error", reject);
    sent.end(body);
  });
}

function described(error) {
  const is = error instanceof Error;
  return JSON.stringify({
    errorType: is ? error.name : typeof error,
    errorMessage: is ? error.message : String(error),
    trace: is && error.stack ? error.stack.split("\n") : [],
  });
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const client = headers["lambda-runtime-client-context"];
  return {
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client ? JSON.parse(client) : undefined,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

async function load() {
  const slash = handlerName.lastIndexOf("/") + 1;
  const point = handlerName.indexOf(".", slash);
  const file = point < 0 ? handlerName : handlerName.slice(0, point);
  const name = point < 0 ? "handler" : handlerName.slice(point + 1);
  const found = [".mjs", ".js", ".cjs"].map((end) => join(root, file + end)).find((path) => existsSync(path));
  if (!found) throw new Error(`there is no ${file}.mjs, ${file}.js or ${file}.cjs in ${root}`);
  const loaded = await import(pathToFileURL(found).href);
  const handler = name.split(".").reduce((at, part) => at?.[part], loaded) ?? loaded.default?.[name];
  if (typeof handler !== "function") throw new Error(`${file} has no function ${name}`);
  return handler;
}

// Handlers answer with a promise, a value, or through a callback.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, value) => (error ? reject(error) : resolve(value));
    context.done = callback;
    context.succeed = resolve;
    context.fail = reject;
    const answer = handler(event, context, callback);
    if (typeof answer?.then === "function") answer.then(resolve, reject);
    else if (answer !== undefined || handler.length < 3) resolve(answer);
  });
}

// Begins to answer with the first byte; an error before it is an ordinary one.
function stream(path, handler, event, context) {
  return new Promise((resolve, reject) => {
    const out = new PassThrough();
    let type = "application/octet-stream";
    let sent;
    out.setContentType = (given) => (type = given);
    const begin = () => {
      if (sent) return;
      sent = send("POST", path, {
        "Content-Type": type,
        "Transfer-Encoding": "chunked",
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      });
      sent.on("response", (response) => read(response).then(resolve, reject));
      sent.on("error", reject);
    };
    out.on("data", (chunk) => {
      begin();
      if (sent.write(chunk)) return;
      out.pause();
      sent.once("drain", () => out.resume());
    });
    let failure;
    out.on("end", () => {
      begin();
      if (failure) sent.addTrailers(failure);
      sent.end();
    });
    // What was written before goes out before the error.
    const fail = (error) => {
      if (!sent && out.readableLength + out.writableLength === 0) return reject(error);
      console.error(error);
      failure = {
        "Lambda-Runtime-Function-Error-Type": error?.name ?? "Error",
        "Lambda-Runtime-Function-Error-Body": Buffer.from(described(error)).toString("base64"),
      };
      out.end();
    };
    Promise.resolve()
      .then(() => handler(event, out, context))
      .then(() => out.writableEnded || out.end(), fail);
  });
}

async function answer(handler, { headers, body }) {
  const path = `/invocation/${headers["lambda-runtime-aws-request-id"]}`;
  process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
  try {
    const event = JSON.parse(body);
    const context = contextOf(headers);
    if (handler[streaming]) {
      await stream(`${path}/response`, handler, event, context);
      return;
    }
    const value = JSON.stringify((await run(handler, event, context)) ?? null);
    await call("POST", `${path}/response`, value, { "Content-Type": "application/json" });
  } catch (error) {
    console.error(error);
    await call("POST", `${path}/error`, described(error), {
      "Lambda-Runtime-Function-Error-Type": error?.name ?? "Error",
    });
  }
}

async function main() {
  let handler;
  try {
    handler = await load();
  } catch (error) {
    console.error(error);
    await call("POST", "/init/error", described(error), {
      "Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError",
    });
    process.exit(1);
  }
  for (;;) {
    const next = await call("GET", "/invocation/next");
    if (next.status !== 200) process.exit(0);
    await answer(handler, next);
  }
}

let own;
try {
  own = createRequire(join(root, "index.js")).resolve("aws-lambda-ric/package.json");
} catch {
  own = undefined;
}
if (own) {
  process.argv = [process.argv[0], own, handlerName];
  await import(pathToFileURL(join(own, "..", "bin", "index.mjs")).href);
} else {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
