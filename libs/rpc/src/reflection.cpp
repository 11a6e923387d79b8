#include "reflection.hpp"

#include "gantry/base/result.hpp"

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>
#include <utility>

namespace gantry::rpc {
namespace {

namespace pb = google::protobuf;

const pb::DescriptorPool& pool() {
    return *pb::DescriptorPool::generated_pool();
}

/// `file` and everything it imports, each once.
void collect(const pb::FileDescriptor& file, std::set<std::string>& seen,
             std::vector<std::string>& out) {
    if (!seen.insert(file.name()).second) {
        return;
    }
    pb::FileDescriptorProto proto;
    file.CopyTo(&proto);
    out.push_back(proto.SerializeAsString());
    for (int i = 0; i < file.dependency_count(); ++i) {
        collect(*file.dependency(i), seen, out);
    }
}

template <class Response>
void answer_not_found(Response& response, const std::string& what) {
    auto& error = *response.mutable_error_response();
    error.set_error_code(static_cast<int>(Code::not_found));
    error.set_error_message(what + " is not known here.");
}

template <class Response>
void answer_file(Response& response, const pb::FileDescriptor* file, const std::string& asked) {
    if (file == nullptr) {
        answer_not_found(response, asked);
        return;
    }
    std::set<std::string> seen;
    std::vector<std::string> files;
    collect(*file, seen, files);
    auto& out = *response.mutable_file_descriptor_response();
    for (std::string& each : files) {
        out.add_file_descriptor_proto(std::move(each));
    }
}

template <class Response>
void answer_extension(Response& response, const std::string& type, int number) {
    const pb::Descriptor* message = pool().FindMessageTypeByName(type);
    const pb::FieldDescriptor* field =
        message == nullptr ? nullptr : pool().FindExtensionByNumber(message, number);
    answer_file(response, field == nullptr ? nullptr : field->file(), "The extension");
}

template <class Response>
void answer_extension_numbers(Response& response, const std::string& type) {
    const pb::Descriptor* message = pool().FindMessageTypeByName(type);
    if (message == nullptr) {
        answer_not_found(response, type);
        return;
    }
    auto& out = *response.mutable_all_extension_numbers_response();
    out.set_base_type_name(type);
    std::vector<const pb::FieldDescriptor*> extensions;
    pool().FindAllExtensions(message, &extensions);
    for (const auto* extension : extensions) {
        out.add_extension_number(extension->number());
    }
}

template <class Request, class Response>
Response answer(const Request& request, const ServiceNames& names) {
    Response response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    switch (request.message_request_case()) {
        case Request::kFileByFilename:
            answer_file(response, pool().FindFileByName(request.file_by_filename()),
                        request.file_by_filename());
            break;
        case Request::kFileContainingSymbol:
            answer_file(response, pool().FindFileContainingSymbol(request.file_containing_symbol()),
                        request.file_containing_symbol());
            break;
        case Request::kFileContainingExtension:
            answer_extension(response, request.file_containing_extension().containing_type(),
                             request.file_containing_extension().extension_number());
            break;
        case Request::kAllExtensionNumbersOfType:
            answer_extension_numbers(response, request.all_extension_numbers_of_type());
            break;
        case Request::kListServices: {
            auto& list = *response.mutable_list_services_response();
            for (const std::string& name : names.get()) {
                list.add_service()->set_name(name);
            }
            break;
        }
        default: {
            auto& error = *response.mutable_error_response();
            error.set_error_code(static_cast<int>(Code::invalid_argument));
            error.set_error_message("message_request is not set.");
        }
    }
    return response;
}

// Reads and writes in turn. One operation is always pending, so a call that breaks is noticed.
template <class Request, class Response>
class Stream final : public grpc::ServerBidiReactor<Request, Response> {
public:
    explicit Stream(std::shared_ptr<const ServiceNames> names) : names_(std::move(names)) {
        this->StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
        if (!ok) {
            this->Finish(grpc::Status::OK);
            return;
        }
        response_ = answer<Request, Response>(request_, *names_);
        this->StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
        if (!ok) {
            this->Finish(grpc::Status::OK);
            return;
        }
        this->StartRead(&request_);
    }
    void OnDone() override { delete this; }

private:
    std::shared_ptr<const ServiceNames> names_;
    Request request_;
    Response response_;
};

template <class Base, class Request, class Response>
class Service final : public Base {
public:
    explicit Service(std::shared_ptr<const ServiceNames> names) : names_(std::move(names)) {}
    grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(
        grpc::CallbackServerContext*) override {
        return new Stream<Request, Response>(names_);
    }

private:
    std::shared_ptr<const ServiceNames> names_;
};

namespace alpha = grpc::reflection::v1alpha;
namespace stable = grpc::reflection::v1;
using AlphaService = Service<alpha::ServerReflection::CallbackService,
                             alpha::ServerReflectionRequest, alpha::ServerReflectionResponse>;
using StableService = Service<stable::ServerReflection::CallbackService,
                              stable::ServerReflectionRequest, stable::ServerReflectionResponse>;

}  // namespace

void ServiceNames::set(std::vector<std::string> names) {
    const std::lock_guard lock(mutex_);
    names_ = std::move(names);
}

std::vector<std::string> ServiceNames::get() const {
    const std::lock_guard lock(mutex_);
    return names_;
}

std::vector<std::unique_ptr<grpc::Service>> make_reflection(
    std::shared_ptr<const ServiceNames> names) {
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(std::make_unique<AlphaService>(names));
    services.push_back(std::make_unique<StableService>(std::move(names)));
    return services;
}

}  // namespace gantry::rpc
