# Names that no header of 1979 holds: long, not ASCII, not UTF-8, with line breaks and quotes.
FROM base
COPY odd /odd/
RUN <<'END'
long=$(printf 'x%.0s' $(seq 200))
mkdir -p "/deep/$long/$long" && echo long > "/deep/$long/$long/$long"
ln -s "$long/$long/$long" /deep/link && ln "/deep/$long/$long/$long" /deep/hard
cd /deep && touch "$(printf 'new\nline')" "$(printf 'latin1-\344')" "quo'te\"" 'back\slash' '.wh' ' blank ' '*' ./-n
END
RUN rm "$(printf '/deep/new\nline')" "/deep/*" && ls /deep > /listed
