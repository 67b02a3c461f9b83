from river.linear_model.alma import ALMAClassifier as ALMAClassifier
from river.linear_model.lin_reg import LinearRegression as LinearRegression
from river.linear_model.log_reg import LogisticRegression as LogisticRegression
from river.linear_model.pa import PAClassifier as PAClassifier
from river.linear_model.pa import PARegressor as PARegressor
from river.linear_model.softmax import SoftmaxRegression as SoftmaxRegression
