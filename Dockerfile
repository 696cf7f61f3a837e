# celery-sentinel as a container; docs/deploy.md says how to build and run it.
ARG PYTHON_VERSION=3.11.13

FROM python:${PYTHON_VERSION}-slim-bookworm AS build

# What is locked comes first: a change of the source alone fetches nothing anew. Wheels only, each
# with its hash. The index is pip's own, or what the secret `pip` (a pip.conf) says, so that the
# address of a mirror and its password stay out of the image. pip itself is not taken over.
COPY requirements/run.txt requirements/build.txt /build/requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/celery-sentinel \
    && python -m pip --python /opt/celery-sentinel/bin/python install --no-cache-dir --no-compile \
        --require-hashes --only-binary :all: --requirement /build/requirements/run.txt \
    && python -m pip install --no-cache-dir --no-compile \
        --require-hashes --only-binary :all: --requirement /build/requirements/build.txt

COPY pyproject.toml README.md LICENSE /build/
COPY celery_sentinel /build/celery_sentinel
# Compiled here, since the root file system may be read-only later.
RUN python -m pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation \
        --wheel-dir /build/dist /build \
    && python -m pip --python /opt/celery-sentinel/bin/python install --no-cache-dir --no-compile \
        --no-index --no-deps /build/dist/*.whl \
    && /opt/celery-sentinel/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /opt/celery-sentinel/lib

FROM python:${PYTHON_VERSION}-slim-bookworm

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="celery-sentinel" \
      org.opencontainers.image.description="Monitoring daemon and Prometheus exporter for Celery" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /opt/celery-sentinel /opt/celery-sentinel
# For a state file: a new volume takes over the owner of the directory it is mounted on.
RUN ["install", "--directory", "--mode=0700", "--owner=65532", "--group=65532", \
     "/var/lib/celery-sentinel"]

ENV PATH=/opt/celery-sentinel/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# Numeric, so that Kubernetes' runAsNonRoot can tell that it is not root.
USER 65532:65532
WORKDIR /var/lib/celery-sentinel
EXPOSE 9808
STOPSIGNAL SIGTERM

# Healthy while the threads turn, whatever the broker does. For another port or TLS set
# CELERY_SENTINEL_HEALTHCHECK_URL.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/celery-sentinel/bin/celery-sentinel", "healthcheck"]

ENTRYPOINT ["/opt/celery-sentinel/bin/celery-sentinel"]
CMD ["run"]
