# needs: overlay
# Hard links of a layer below that are copied and moved by a later step or stage.
FROM base AS two
RUN mkdir /out && echo two > /out/two && ln /out/two /out/hard
FROM base
COPY --from=two /out /out
COPY app/data /data
RUN mv /data /moved
RUN ln /out/two /out/third
