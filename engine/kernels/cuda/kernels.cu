// All kernels, as one unit for either compiler.
#include "attention.cu"
#include "attention_tensor.cu"
#include "logits.cu"
#include "lora_expand.cu"
#include "lora_shrink.cu"
#include "rope.cu"
#include "rows.cu"
