from numpy import ufunc

chdtri: ufunc
