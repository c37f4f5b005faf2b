// RAII over the C interface, header only, C++17: owners for the handles, exceptions for the statuses.
//
//   #include "digits.h"
//   using Digits = halfstep::Model<digits, digits_create, digits_destroy, digits_last_error>;
//   Digits model;
//   model.call(digits_train_step, inputs, targets, &result);
#ifndef HALFSTEP_HALFSTEP_HPP
#define HALFSTEP_HALFSTEP_HPP

#include "halfstep/scaler.h"
#include "halfstep/types.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace halfstep {

/// A call that did not return HS_OK; what() is the library's message.
class Error : public std::runtime_error {
public:
  Error(hs_status status, const std::string &message) : std::runtime_error(message), code(status) {}
  hs_status status() const noexcept { return code; }

private:
  hs_status code;
};

/// Owner of one instance of a generated library, whose functions are the template's arguments. Movable; like
/// the handle, for one thread at a time.
template <typename Handle, auto Create, auto Destroy, auto LastError>
class Model {
public:
  /// Throws Error with create's message. The config's own error buffer is not used.
  explicit Model(hs_config config = HS_CONFIG_INIT) : handle(nullptr, Destroy) {
    char message[512] = "";
    config.error = message;
    config.error_bytes = sizeof message;
    Handle *created = nullptr;
    if (hs_status status = Create(&config, &created))
      throw Error(status, *message ? message : "cannot create the model");
    handle.reset(created);
  }

  /// function(handle, arguments...); throws Error unless it returns HS_OK.
  template <typename Function, typename... Arguments>
  void call(Function function, Arguments &&...arguments) {
    if (hs_status status = function(handle.get(), std::forward<Arguments>(arguments)...))
      throw Error(status, LastError(handle.get()));
  }

  Handle *get() const noexcept { return handle.get(); }

private:
  std::unique_ptr<Handle, decltype(Destroy)> handle;
};

/// Owner of an hs_scaler: see halfstep/scaler.h.
class Scaler {
public:
  explicit Scaler(const hs_scaler_config &config = HS_SCALER_CONFIG_INIT)
      : handle(nullptr, hs_scaler_destroy) {
    hs_scaler *created = nullptr;
    if (hs_status status = hs_scaler_create(&config, &created))
      throw Error(status, "cannot create the scaler: a setting is out of its range");
    handle.reset(created);
  }

  float scale() const noexcept { return state().scale; }
  void update(bool foundInf) noexcept { hs_scaler_update(handle.get(), foundInf); }

  hs_scaler_state state() const noexcept {
    hs_scaler_state state = {0, 0};
    hs_scaler_get_state(handle.get(), &state);
    return state;
  }

  void setState(const hs_scaler_state &state) {
    if (hs_status status = hs_scaler_set_state(handle.get(), &state))
      throw Error(status, "the scaler's state is out of its range");
  }

  /// The other part of the state: overflows until the scale shrinks.
  int32_t hysteresis() const noexcept {
    int32_t left = 1;
    hs_scaler_get_hysteresis(handle.get(), &left);
    return left;
  }

  void setHysteresis(int32_t left) {
    if (hs_status status = hs_scaler_set_hysteresis(handle.get(), left))
      throw Error(status, "the scaler's hysteresis is out of its range");
  }

private:
  std::unique_ptr<hs_scaler, decltype(&hs_scaler_destroy)> handle;
};

} // namespace halfstep

#endif // HALFSTEP_HALFSTEP_HPP
