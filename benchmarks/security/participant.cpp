// SPDX-License-Identifier: Apache-2.0
// One DDS participant with or without keys that writes or reads one topic of ROS 2, and says what came of it.
//
//     participant DOMAIN KEYS TOPIC TYPE pub|sub SECONDS
//
// KEYS is the folder of an enclave, or - for none. Prints one word: "no_participant", "no_endpoint" (the
// permissions deny it), else "matched" or "alone", for a reader followed by the number of messages received.
#include <atomic>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/log/Log.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/DataWriterListener.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/DataReaderListener.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::rtps::InstanceHandle_t;
using eprosima::fastrtps::rtps::SerializedPayload_t;

// A std_msgs/Bool that is true, in CDR; of any other type nothing is read here.
constexpr unsigned char BOOL_TRUE[] = {0x00, 0x01, 0x00, 0x00, 0x01};

class RawType : public TopicDataType
{
public:
    explicit RawType(const std::string& name)
    {
        setName(name.c_str());
        m_typeSize = 1 << 20;
        m_isGetKeyDefined = false;
    }

    bool serialize(void*, SerializedPayload_t* payload) override
    {
        std::memcpy(payload->data, BOOL_TRUE, sizeof(BOOL_TRUE));
        payload->length = sizeof(BOOL_TRUE);
        return true;
    }

    bool deserialize(SerializedPayload_t*, void*) override { return true; }

    std::function<uint32_t()> getSerializedSizeProvider(void*) override
    {
        return [] { return static_cast<uint32_t>(sizeof(BOOL_TRUE)); };
    }

    void* createData() override { return new char; }
    void deleteData(void* data) override { delete static_cast<char*>(data); }
    bool getKey(void*, InstanceHandle_t*, bool) override { return false; }
};

struct Ears : DataReaderListener, DataWriterListener
{
    std::atomic<bool> matched{false};
    std::atomic<int> received{0};

    void on_data_available(DataReader* reader) override
    {
        char sample;
        SampleInfo info;
        while (reader->take_next_sample(&sample, &info) == ReturnCode_t::RETCODE_OK)
        {
            received += info.valid_data ? 1 : 0;
        }
    }

    void on_subscription_matched(DataReader*, const SubscriptionMatchedStatus& status) override
    {
        matched = matched || status.current_count > 0;
    }

    void on_publication_matched(DataWriter*, const PublicationMatchedStatus& status) override
    {
        matched = matched || status.current_count > 0;
    }
};

DomainParticipantQos secured(const std::string& folder)
{
    DomainParticipantQos qos = PARTICIPANT_QOS_DEFAULT;
    if (folder == "-")
    {
        return qos;
    }
    auto& properties = qos.properties().properties();
    const auto set = [&](const char* name, const std::string& value) {
        properties.emplace_back(std::string("dds.sec.") + name, value);
    };
    const std::string file = "file://" + folder + "/";
    set("auth.plugin", "builtin.PKI-DH");
    set("auth.builtin.PKI-DH.identity_ca", file + "identity_ca.cert.pem");
    set("auth.builtin.PKI-DH.identity_certificate", file + "cert.pem");
    set("auth.builtin.PKI-DH.private_key", file + "key.pem");
    set("crypto.plugin", "builtin.AES-GCM-GMAC");
    set("access.plugin", "builtin.Access-Permissions");
    set("access.builtin.Access-Permissions.permissions_ca", file + "permissions_ca.cert.pem");
    set("access.builtin.Access-Permissions.governance", file + "governance.p7s");
    set("access.builtin.Access-Permissions.permissions", file + "permissions.p7s");
    return qos;
}

int main(int count, char** words)
{
    if (count != 7)
    {
        std::cerr << "participant DOMAIN KEYS TOPIC TYPE pub|sub SECONDS\n";
        return 2;
    }
    Log::ClearConsumers();  // it writes to standard output, too
    const std::string topic_name = words[3], type_name = words[4], role = words[5];
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(int(1e3 * std::stod(words[6])));
    const auto pause = std::chrono::milliseconds(50);
    auto* factory = DomainParticipantFactory::get_instance();
    auto* participant = factory->create_participant(std::stoi(words[1]), secured(words[2]));
    if (participant == nullptr)
    {
        std::cout << "no_participant" << std::endl;
        return 0;
    }
    TypeSupport type(new RawType(type_name));
    type.register_type(participant);
    Topic* topic = participant->create_topic(topic_name, type_name, TOPIC_QOS_DEFAULT);
    Ears ears;
    bool denied = false;
    if (role == "pub")
    {
        DataWriterQos qos = DATAWRITER_QOS_DEFAULT;
        qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
        auto* publisher = participant->create_publisher(PUBLISHER_QOS_DEFAULT);
        auto* writer = publisher->create_datawriter(topic, qos, static_cast<DataWriterListener*>(&ears));
        denied = writer == nullptr;
        char sample = 0;
        while (!denied && std::chrono::steady_clock::now() < end)
        {
            writer->write(&sample);
            std::this_thread::sleep_for(pause);
        }
    }
    else
    {
        DataReaderQos qos = DATAREADER_QOS_DEFAULT;
        qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
        auto* subscriber = participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT);
        auto* reader = subscriber->create_datareader(topic, qos, static_cast<DataReaderListener*>(&ears));
        denied = reader == nullptr;
        while (!denied && std::chrono::steady_clock::now() < end)
        {
            std::this_thread::sleep_for(pause);
        }
    }
    std::cout << (denied ? "no_endpoint" : ears.matched ? "matched" : "alone");
    if (!denied && role == "sub")
    {
        std::cout << ' ' << ears.received;
    }
    std::cout << std::endl;
    std::_Exit(0);  // what is left is of no interest
}
