

	local://a
,*

x/ÿÿÿÿÿÿÿÿÿ/ÿÿÿÿÿÿÿÿÿ/ 
K
I
Gsha256:226d8b5946f8197e45f5d9638415ebbef3a5d9cede94f3ffd8e1fd1877a8bfcb