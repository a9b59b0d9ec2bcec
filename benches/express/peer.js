// The checks of `/verify` as they are usually written for Node.js, for the bench to compare with:
// Express, jsonwebtoken, ioredis, a string for each revoked token, a hash for each session.
//
//     PORT=… REDIS_SOCKET=… JWT_SECRET=… node peer.js plain|tuned
//
// `plain` hands the secret to jsonwebtoken as text and asks Redis one question after the other;
// `tuned` prepares the key once and asks all questions in one write. Not part of the product.
"use strict";

const { createHash, createSecretKey } = require("node:crypto");
const express = require("express");
const Redis = require("ioredis");
const jwt = require("jsonwebtoken");

const { PORT, REDIS_SOCKET, JWT_SECRET } = process.env;
const isTuned = process.argv[2] === "tuned";
const key = isTuned ? createSecretKey(Buffer.from(JWT_SECRET)) : JWT_SECRET;
const rules = { algorithms: ["HS256"], issuer: "portcullis", audience: "portcullis" };
const redis = new Redis(REDIS_SOCKET);

async function facts(token, claims) {
  const hash = createHash("sha256").update(token).digest("hex");
  const [revoked, loggedOut, session] = [`bl:${hash}`, `logout:${claims.sub}`, `session:${claims.sid}`];
  if (!isTuned) {
    return [await redis.exists(revoked), await redis.get(loggedOut), await redis.hgetall(session)];
  }
  const answers = await redis.pipeline().exists(revoked).get(loggedOut).hgetall(session).exec();
  return answers.map(([fault, answer]) => {
    if (fault) throw fault;
    return answer;
  });
}

async function isLive(token, claims) {
  const [revoked, loggedOut, session] = await facts(token, claims);
  return (
    revoked === 0 &&
    (loggedOut === null || claims.iat > Number(loggedOut)) &&
    session.user_id === claims.sub &&
    Number(session.expires) > Date.now()
  );
}

async function authenticate(request, response, next) {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return response.status(401).end();
  let claims;
  try {
    claims = jwt.verify(token, key, rules);
  } catch {
    return response.status(401).end();
  }
  if (!(await isLive(token, claims))) return response.status(401).end();
  request.claims = claims;
  next();
}

const app = express();
app.disable("x-powered-by");
app.get("/api/v1/auth/verify", authenticate, ({ claims }, response) => {
  response.set({ "X-Auth-User": claims.sub, "X-Auth-Session": claims.sid, "X-Auth-Role": claims.role });
  response.status(200).end();
});
app.listen(Number(PORT), "127.0.0.1");
