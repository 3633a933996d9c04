# syntax=docker/dockerfile:1
#
# The image of the command towpath, built in the repository:
#
#   docker build -f deploy/docker/towpath.Dockerfile \
#     --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t towpath .
#   docker run --rm -e AWS_REGION -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN \
#     towpath leases clickstream
#
# Pin digests as service.Dockerfile says.
ARG GO=1.26.8
FROM --platform=$BUILDPLATFORM golang:${GO}-bookworm AS build
ARG TARGETOS TARGETARCH
ARG SOURCE_DATE_EPOCH=0
ENV GOCACHE=/go/cache CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOWORK=off GOFLAGS="-trimpath -buildvcs=false"
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/cache \
    go build -ldflags="-s -w" -o /out/towpath ./cmd/towpath && \
    touch -d "@$SOURCE_DATE_EPOCH" /out/towpath

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/towpath /
USER 65532:65532
ENTRYPOINT ["/towpath"]
