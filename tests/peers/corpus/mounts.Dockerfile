# Mounts of a step leave their mount points at most, and nothing of what was in them.
FROM base AS other
RUN echo other > /other
FROM base
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch \
    echo x > /cache/x && echo y > /scratch/y && echo done > /done
RUN --mount=type=bind,source=app,target=/src --mount=from=other,source=/other,target=/mnt/other \
    cat /src/main.sh /mnt/other > /both
RUN --mount=type=bind,target=/src,rw echo z > /src/z && ls /src > /listed
RUN --mount=type=secret,id=password cat /run/secrets/password 2>/dev/null | wc -c > /length
