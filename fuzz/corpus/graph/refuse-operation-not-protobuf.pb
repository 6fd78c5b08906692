

	local://a

ÿ
K
I
Gsha256:54d2cf71e1f5b1118b079cb75b94face753ab14fee6610848d6c416a250d53e4