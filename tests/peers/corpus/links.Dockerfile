# Symlinks as sources, destinations and parents; hard links within a step and across steps.
FROM base
COPY app/link app/dir-link/b.conf /links/
COPY app/dir-link /dir-link
RUN mkdir /real && ln -s /real /via && ln -s ../real /links/up && echo a > /real/a && ln /real/a /real/b
COPY app/main.sh /via/
COPY --link app/data /via/linked/
RUN rm /real/b
RUN ln -sf /etc/passwd /links/link && mv /real/main.sh /real/moved
