from river.drift.binary.ddm import DDM as DDM
from river.drift.binary.hddm_a import HDDMA as HDDMA
from river.drift.binary.hddm_w import HDDMW as HDDMW
