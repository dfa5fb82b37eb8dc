# VectraDB in a container: docker build -t vectra . && docker run -p 6333:6333 -v vectra:/var/lib/vectra -e VECTRA_API_KEY=... vectra
FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package vectra --bin vectra

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/vectra --create-home --shell /usr/sbin/nologin vectra
COPY --from=build /src/target/release/vectra /usr/local/bin/vectra
USER vectra
WORKDIR /var/lib/vectra
ENV VECTRA_DATA_DIR=/var/lib/vectra/data VECTRA_LOG=info VECTRA_LOG_FORMAT=json
VOLUME /var/lib/vectra
EXPOSE 6333
# Requests that began get 30 s: docker stop --time 60.
STOPSIGNAL SIGTERM
# The image has no HTTP client; the shell can ask. It lives while it recovers: /readyz is for whoever routes requests.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/6333 && printf 'GET /livez HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["vectra"]
CMD ["serve", "--listen", "0.0.0.0:6333"]
