import socket

print(*(name for _, name in socket.if_nameindex()))
try:
    print("resolved:", socket.getaddrinfo("management.azure.com", 443))
except OSError:
    print("management.azure.com cannot be resolved")
