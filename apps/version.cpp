#include "apps/version.h"

#include <fmt/format.h>
#include <torch/version.h>

#include "version_info.h"

namespace longconv::apps {

Version version() {
  return {LONGCONV_VERSION, LONGCONV_COMMIT, LONGCONV_BUILD_TYPE, TORCH_VERSION,
          LONGCONV_BUILT_ARCHS};
}

std::string version_text() {
  const Version v = version();
  return fmt::format("longconv {}\ncommit    {}\nbuild     {}\nLibTorch  {}\nCUDA      {}",
                     v.version, v.commit, v.build_type, v.libtorch,
                     v.with_cuda() ? "on, for " + v.cuda_archs : "off");
}

}  // namespace longconv::apps
