"""The names of ``keras.ops`` (Keras 3.15) that `fastnn.ops` has: all of use in dense networks."""

NAMES = """
abs absolute add all amax amin any append arange arccos arcsin arctan arctan2 argmax
argmin argsort array average batch_normalization binary_crossentropy bincount
broadcast_to cast categorical_crossentropy ceil celu clip concatenate convert_to_numpy
convert_to_tensor copy cos cosh count_nonzero cumprod cumsum diag diff divide
divide_no_nan dot dtype einsum elu empty equal erf erfinv exp expand_dims expm1 eye flip
floor floor_divide full full_like gelu glu greater greater_equal hard_shrink
hard_sigmoid hard_silu hard_swish hard_tanh hstack identity in_top_k is_tensor isclose
isfinite isinf isnan layer_normalization leaky_relu less less_equal linspace log log10
log1p log2 log_sigmoid log_softmax logaddexp logical_and logical_not logical_or
logical_xor logsumexp matmul max maximum mean median min minimum mod moments moveaxis
multi_hot multiply nan_to_num ndim negative norm normalize not_equal one_hot ones
ones_like outer pad power prod quantile ravel reciprocal relu relu6 repeat reshape roll
round rsqrt saturate_cast searchsorted select selu shape sigmoid sign silu sin sinh size
slice soft_shrink softmax softplus softsign sort sparse_categorical_crossentropy
sparsemax split sqrt square squareplus squeeze stack std stop_gradient subtract sum
swapaxes swish take take_along_axis tan tanh tanh_shrink tensordot threshold tile top_k
trace transpose tril triu true_divide trunc unstack var vdot vstack where zeros
zeros_like
""".split()  # noqa: SIM905 (three pages otherwise)
