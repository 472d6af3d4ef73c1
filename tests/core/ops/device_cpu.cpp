#include "tests/core/ops/device.h"

namespace longconv::testing {

Device test_device() { return Device::cpu; }
std::string why_skipped() { return {}; }

}  // namespace longconv::testing
