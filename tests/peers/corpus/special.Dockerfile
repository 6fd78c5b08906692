# Pipes are kept, sockets are not.
FROM base
RUN mkfifo -m 0640 /pipe && mkdir /s
RUN nc -l -U /s/socket & sleep 0.2; test -e /s/socket; kill $! || true; touch /s/beside
RUN rm /pipe && mkfifo /pipe
