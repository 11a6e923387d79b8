#include "app.hpp"

int main(int argc, char** argv) {
    return gantry::migrate::run(argc, argv);
}
