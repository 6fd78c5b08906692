# What an overlay has to copy up: folders of a lower layer renamed, attributes alone changed.
FROM base
RUN mkdir -p /low/er/deep && echo x > /low/er/deep/x && echo y > /low/y && mkdir /low/empty && echo z > /z && echo z > /zz
RUN mv /low/er /low/other && mv /low/empty /moved
RUN mv /low /high && chmod 0700 /high/y
RUN touch /z && chmod 0755 /moved && chmod 0644 /high/y && cat /high/y > /dev/null
RUN echo z > /zz && chmod 0755 /zz && chmod 0644 /zz
