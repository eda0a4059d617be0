# The console: control plane, gateway and pages in one process. Built in two stages, so that no compiler is shipped.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /app/.venv
COPY requirements-build.lock requirements.lock ./
# not for the processor of the building machine alone: any x86-64 with AVX2, any arm64
ENV CMAKE_ARGS="-DGGML_NATIVE=OFF"
RUN .venv/bin/pip install --require-hashes -r requirements-build.lock \
    && .venv/bin/pip install --require-hashes --no-build-isolation -r requirements.lock
COPY pyproject.toml README.md ./
COPY lancelot lancelot
COPY local_models local_models
COPY console console
COPY config config
COPY .streamlit/config.toml .streamlit/config.toml
RUN .venv/bin/pip install --no-deps --no-build-isolation -e .

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /tmp lancelot \
    && install -d -o 10001 -g 10001 /data /data/models
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LANCELOT_HOST=127.0.0.1 LANCELOT_PORT=8501 LANCELOT_DATA_DIR=/data
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --retries=4 --start-period=60s \
    CMD ["python", "-m", "local_models.healthcheck", "http://127.0.0.1:8501/system/health"]
CMD ["sh", "-c", "exec streamlit run console --server.address \"$LANCELOT_HOST\" --server.port \"$LANCELOT_PORT\" --server.headless true"]
