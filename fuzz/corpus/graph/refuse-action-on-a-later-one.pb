

	local://a
€
I
Gsha256:54d2cf71e1f5b1118b079cb75b94face753ab14fee6610848d6c416a250d53e4"3ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ2
/aÿÿÿÿÿÿÿÿÿ2
/b
K
I
Gsha256:7efca95076bd48336b613d9951f3b6b34389e99be381ee40741985557e6ff1ec