// The tables of wrong calls of functions, each in its errors_..._test.cpp.
#pragma once

#include "support/wrong_calls.h"

WrongCalls wrong_elementwise_calls();
WrongCalls wrong_shape_calls();
WrongCalls wrong_product_calls();
WrongCalls wrong_conv_calls();
WrongCalls wrong_pool_norm_calls();
WrongCalls wrong_loss_calls();
