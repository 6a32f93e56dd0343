# Outrider's image, in two stages: the bundle and the pinned Node, then those two files on a base without a shell.
#   docker build -t outrider .
#   docker run -p 127.0.0.1:4141:4141 -e OUTRIDER_LISTEN=0.0.0.0:4141 outrider
# A registry or proxy of your own: --secret id=npmrc,src=$HOME/.npmrc (it stays out of every layer).

# Needs Node 20 or newer with npm; the Node that runs in the end is the one package-lock.json pins.
ARG BUILD_BASE=node:24-bookworm-slim
# Needs glibc and libstdc++, nothing else.
ARG BASE=gcr.io/distroless/cc-debian12

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
COPY scripts/ensure-install.mjs scripts/
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm \
    node scripts/ensure-install.mjs
COPY rolldown.config.ts ./
COPY src src
RUN npm run --silent build && mkdir /app && cp dist/outrider.mjs dist/outrider-aws.mjs dist/outrider-policy.mjs /app/ && cp "$(node_modules/.bin/node -p process.execPath)" /app/node

FROM ${BASE}
LABEL org.opencontainers.image.title="outrider" \
      org.opencontainers.image.description="OpenTelemetry-first observability sidecar proxy for LLM traffic" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
COPY LICENSE /app/
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# Both on loopback unless OUTRIDER_LISTEN and OUTRIDER_ADMIN say otherwise: in a pod the service shares this network namespace.
EXPOSE 4141 4142
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/app/node", "-e", "const { port } = new URL(`http://${process.env.OUTRIDER_ADMIN || '127.0.0.1:4142'}`); fetch(`http://127.0.0.1:${port}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/node", "--max-semi-space-size=4", "/app/outrider.mjs"]
CMD ["run"]
