# Shell form, exec form, heredocs, ARG, ENV, SHELL, an empty step.
FROM base
ARG WHO=world
ENV GREETING="hello $WHO"
RUN echo "$GREETING" > /greeting && umask 077 && mkdir -p /private/deep && echo x > /private/deep/x
RUN ["/bin/busybox", "touch", "/exec-form"]
RUN <<ONE cat > /one && <<TWO cat > /two
first $WHO
ONE
second
TWO
RUN true
SHELL ["/bin/sh", "-euc"]
RUN id -u > /id; hostname > /hostname; pwd > /pwd; env | sort > /env
