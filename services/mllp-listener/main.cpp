#include "app.hpp"

int main(int argc, char** argv) {
    return gantry::hosting::run<gantry::mllp::App>(argc, argv);
}
