

	local://a
`
O
Gsha256:54d2cf71e1f5b1118b079cb75b94face753ab14fee6610848d6c416a250d53e4€€€€

x//
K
I
Gsha256:852aafd5eb8d6aca63ee1292b54fe53aa865736fd019e953a0bcb0bf881922ab