# Sluice in a container: not root, nothing to write but /var/lib/sluice. docs/container.md tells how to run it.
FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Some packages have no wheel for 32-bit ARM and are compiled there.
RUN if [ "$(dpkg --print-architecture)" = armhf ]; then \
      apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev libffi-dev && rm -rf /var/lib/apt/lists/*; \
    fi
RUN python -m venv /opt/sluice
ENV PATH=/opt/sluice/bin:$PATH
COPY requirements.lock /src/
RUN pip install --require-hashes -r /src/requirements.lock
COPY . /src/
RUN pip install --no-deps /src

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
    && install --directory --owner=sluice --group=sluice --mode=0700 /var/lib/sluice
COPY --from=build /opt/sluice /opt/sluice
COPY config /etc/sluice
# Where `sluice` looks when it is not told: ./config and ./data.
RUN ln -s /etc/sluice /opt/sluice/config && ln -s /var/lib/sluice /opt/sluice/data
ENV PATH=/opt/sluice/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /opt/sluice
VOLUME /var/lib/sluice
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["sluice", "status", "--json", "--config", "/etc/sluice", "--data", "/var/lib/sluice"]
ENTRYPOINT ["sluice"]
CMD ["up", "--config", "/etc/sluice", "--data", "/var/lib/sluice"]
