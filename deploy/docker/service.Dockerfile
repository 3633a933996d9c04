# syntax=docker/dockerfile:1
#
# The image of a service that is built on towpath: one static program, the command towpath for its health
# check, certificates, and nothing else: no shell, no package manager, no root.
#
# The command is of the version of the library that your go.mod names. Once:
#
#   go mod edit -tool=github.com/towpath/towpath/cmd/towpath && go mod tidy
#
# and then
#
#   docker build -f service.Dockerfile --platform linux/arm64 --build-arg PACKAGE=./cmd/worker \
#     --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t clickstream:1.0.0 .
#
# Two builds of one commit are the same bytes as long as the images they begin with are. Tags move, so pin
# the digests, which "docker buildx imagetools inspect IMAGE" prints, behind the tag: IMAGE:TAG@sha256:…
ARG GO=1.26.8
FROM --platform=$BUILDPLATFORM golang:${GO}-bookworm AS build
ARG TARGETOS TARGETARCH
ARG PACKAGE=.
ARG SOURCE_DATE_EPOCH=0
ENV GOCACHE=/go/cache CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS="-trimpath -buildvcs=false"
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/cache \
    go build -ldflags="-s -w" -o /out/worker "$PACKAGE" && \
    go build -ldflags="-s -w" -o /out/towpath github.com/towpath/towpath/cmd/towpath && \
    touch -d "@$SOURCE_DATE_EPOCH" /out/*

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/worker /out/towpath /
USER 65532:65532
# Where the worker answers /livez, /readyz and /metrics.
EXPOSE 8080
# For those who run it with Docker alone; ECS and Kubernetes have checks of their own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["/towpath", "health", "http://127.0.0.1:8080/livez"]
# Exec form: SIGTERM reaches the worker, which then drains.
ENTRYPOINT ["/worker"]
