# Two stages: the first has a compiler, the second only the program, its model and its policy.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# The dependencies in a layer of their own: it is rebuilt only when they change.
RUN mkdir -p src tests/it benches \
    && echo 'fn main() {}' | tee src/main.rs benches/store.rs > tests/it/main.rs && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -rf src tests benches
COPY . .
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/yuxin yuxin
COPY --from=build /build/target/release/yuxin /usr/local/bin/yuxin
COPY models /opt/yuxin/models
COPY config /opt/yuxin/config
WORKDIR /opt/yuxin
USER yuxin
# In a container the service is reached from outside it; the store lies on a volume.
ENV YUXIN_SERVER__LISTEN=0.0.0.0:8080 \
    YUXIN_MANAGEMENT__LISTEN=0.0.0.0:9464 \
    YUXIN_STORE__URL=sqlite:///var/lib/yuxin/yuxin.db
VOLUME /var/lib/yuxin
EXPOSE 8080 9464
ENTRYPOINT ["yuxin"]
CMD ["serve"]
