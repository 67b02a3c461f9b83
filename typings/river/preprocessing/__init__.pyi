from river.preprocessing.scale import StandardScaler as StandardScaler
