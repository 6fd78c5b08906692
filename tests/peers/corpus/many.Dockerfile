# Large and many: more than one block of compression, zeros, holes, 400 files.
FROM base
COPY large /large/
RUN mkdir /many && cd /many && for i in $(seq 400); do echo $i > $i; done
RUN dd if=/dev/zero of=/large/zeros bs=65536 count=40 2>/dev/null && dd if=/dev/zero of=/large/hole bs=1 count=1 seek=3000000 2>/dev/null
RUN cd /many && for i in $(seq 1 7 400); do rm $i; done && cat /large/random /large/random > /large/twice
