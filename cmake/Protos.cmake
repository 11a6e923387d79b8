# Generates C++ for every file in GANTRY_PROTOS into one library, gantry::proto, compiled without
# our warnings, its headers seen as system headers.
function(gantry_proto_library)
    cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
    find_program(PROTOC protoc REQUIRED)
    find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
    set(out ${CMAKE_BINARY_DIR}/proto_gen)
    file(MAKE_DIRECTORY ${out})
    set(sources)
    foreach(file ${ARG_FILES})
        string(REGEX REPLACE "\\.proto$" "" stem ${file})
        set(outputs ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
        set(plugin_args)
        file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/${file} services REGEX "^service ")
        if(services)
            list(APPEND outputs ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
            set(plugin_args --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
        endif()
        add_custom_command(
            OUTPUT ${outputs}
            COMMAND ${PROTOC} -I ${CMAKE_CURRENT_SOURCE_DIR} -I /usr/include --cpp_out=${out} ${plugin_args}
                    ${CMAKE_CURRENT_SOURCE_DIR}/${file}
            DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file}
            COMMENT "Generating ${file}" VERBATIM)
        list(APPEND sources ${outputs})
    endforeach()
    add_library(gantry_proto STATIC ${sources})
    target_compile_features(gantry_proto PUBLIC cxx_std_23)
    target_include_directories(gantry_proto SYSTEM PUBLIC ${out})
    target_link_libraries(gantry_proto PUBLIC gRPC::grpc++ protobuf::libprotobuf)
    add_library(gantry::proto ALIAS gantry_proto)
    # One descriptor set of the whole API with comments, for documentation and breaking-change checks.
    add_custom_command(
        OUTPUT ${CMAKE_BINARY_DIR}/gantry.binpb
        COMMAND ${PROTOC} -I ${CMAKE_CURRENT_SOURCE_DIR} -I /usr/include --include_imports --include_source_info
                --descriptor_set_out=${CMAKE_BINARY_DIR}/gantry.binpb ${ARG_FILES}
        WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
        DEPENDS ${ARG_FILES} VERBATIM)
    add_custom_target(gantry_descriptors ALL DEPENDS ${CMAKE_BINARY_DIR}/gantry.binpb)
endfunction()
