// A function behind a URL or an API: says hello, and streams.

// An ordinary answer.
export const handler = async (event, context) => {
  const name = event.queryStringParameters?.name ?? "World";
  console.log(`hello from ${context.functionName}`);
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(`Hello, ${name}!`),
  };
};

// A streamed one: each part is on its way as soon as it is written.
export const stream = awslambda.streamifyResponse(async (event, responseStream) => {
  const head = { statusCode: 200, headers: { "content-type": "text/plain" } };
  const out = awslambda.HttpResponseStream.from(responseStream, head);
  for (let number = 1; number <= 3; number += 1) {
    out.write(`${number}\n`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  out.end();
});
